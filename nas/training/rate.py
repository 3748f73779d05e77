"""Rate-aware training: quantized weights that take fewer bits once they are coded."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from nas.quantize.quantized_layers import QuantizedLayer
from nas.quantize.weight_levels import channels
from nas.training.augmentation import Augmentation
from nas.training.fit import Loss, attached, on_device, viewed
from nas.training.views import Views


@dataclass(frozen=True)
class _Penalized:
    loss: Loss
    layers: Sequence[QuantizedLayer]
    strength: float

    def __call__(self, logits: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        return self.loss(logits, labels, index) + self.strength * bits_per_weight(self.layers)

    def attached(
        self, student: nn.Module, example: Tensor
    ) -> AbstractContextManager[Iterable[nn.Parameter]]:
        return attached(self.loss, student, example)

    def viewed(self, augmentation: Augmentation) -> tuple[Loss, Views | None]:
        loss, views = viewed(self.loss, augmentation)
        return replace(self, loss=loss), views

    def to(self, device: torch.device) -> Loss:
        return replace(self, loss=on_device(self.loss, device))


def with_rate_penalty(loss: Loss, model: nn.Module, strength: float) -> Loss:
    """`loss` + `strength` · the mean bits that a quantized weight of `model` takes
    (`bits_per_weight`), after the entropy penalty of Oktay et al., 2020.

    Layers of one bit have no level that others could join, and those with a codebook no steps, so
    that neither count.
    """
    layers = [
        layer for layer in model.modules() if isinstance(layer, QuantizedLayer) and layer.bits > 1
    ]
    return loss if strength == 0.0 or not layers else _Penalized(loss, layers, strength)


def bits_per_weight(layers: Sequence[QuantizedLayer]) -> Tensor:
    """The entropy of the levels of each layer, in bits, averaged over all weights of `layers`: a
    scalar with a gradient for the weights.

    A weight counts for the two levels around it, for the nearer one more, so that its gradient is
    the difference of their code lengths for a step.
    """
    total = torch.stack([_entropy(layer) * layer.weight.numel() for layer in layers]).sum()
    return total / sum(layer.weight.numel() for layer in layers)


def _entropy(layer: QuantizedLayer) -> Tensor:
    with torch.no_grad():
        levels, scale = layer.levels()
        least, most = levels.min(), levels.max()
    steps = (layer.weight / channels(scale, layer.weight)).flatten().clamp(least, most) - least
    below = steps.detach().floor().minimum((most - least - 1).clamp_min(0))
    upper, place = steps - below, below.long()
    # A GPU would have to be waited for to tell how many levels are in use.
    on_cpu = steps.device.type == "cpu"
    used = int(most - least) + 1 if on_cpu else 2**layer.bits
    counts = torch.zeros(used + 1, dtype=steps.dtype, device=steps.device)
    counts = counts.index_add(0, place, 1 - upper).index_add(0, place + 1, upper)
    shares = counts / len(steps)
    # A level that nothing is near to costs as much as one of a single weight.
    return -(shares * shares.clamp_min(1 / len(steps)).log2()).sum()
