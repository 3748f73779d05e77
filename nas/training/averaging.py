"""An exponential moving average of weights."""

import torch
from torch import Tensor, nn

_STATISTICS = ("running_mean", "running_var")


class WeightAverage:
    """The exponential moving average of a network's weights, and of the statistics of its batch
    normalization, over the steps of training (Polyak & Juditsky, 1992; with statistics as in
    EfficientNet, Tan & Le, 2019).

    Of n steps, step i has a weight in proportion to decay^(n - i), so that the weights before the
    first step count for nothing. Other state, such as the ranges of quantizers, stays that of the
    last step. With a decay of 0 there is no average, and all methods do nothing. It must be made
    after the network has its memory format.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        statistics = [
            buffer
            for name, buffer in model.named_buffers()
            if name.rpartition(".")[2] in _STATISTICS
        ]
        averaged: list[Tensor] = [*model.parameters(), *statistics] if decay > 0.0 else []
        self._live = [tensor.detach() for tensor in averaged]
        self._other = [torch.zeros_like(tensor) for tensor in self._live]
        self._decay, self._steps, self._swapped = decay, 0, False

    def update(self) -> None:
        """Takes the weights after a step into the average."""
        if self._live:
            self._steps += 1
            weight = (1.0 - self._decay) / (1.0 - self._decay**self._steps)
            torch._foreach_lerp_(self._other, self._live, weight)

    def swap_in(self) -> None:
        """Puts the average into the network, if it is not there yet."""
        self._swap(True)

    def swap_out(self) -> None:
        """Puts the weights of the last step back into the network."""
        self._swap(False)

    def _swap(self, into: bool) -> None:
        if self._swapped == into:
            return
        self._swapped = into
        for live, other in zip(self._live, self._other, strict=True):
            kept = live.clone()
            live.copy_(other)
            other.copy_(kept)
