"""Activation quantizers: tensors between layers, rounded to the levels of their integers."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from nas.quantize.rounding_on_gpu import levels_of, precise
from nas.quantize.rounding_on_gpu import nearest_level as nearest_level_on_gpu

RangeUpdate = Literal["widest", "average", "fixed"]
"""How a range changes in training: it widens at once and shrinks slowly, follows the minimum and
maximum of batches slowly, or stays.
"""

# The weight of a batch in a moving average.
MOMENTUM = 0.01
# Almost half a step: at exactly half, float arithmetic could round up.
REACH = 0.4999
SMALLEST_SCALE = 1e-30


def nearest_level(x: Tensor, scale: float, low: int, high: int, rectified: bool) -> Tensor:
    """`x` rounded to the nearest of the levels `low` … `high` times `scale`; clipped elements have
    no gradient.

    Elements up to half a step beyond the last levels do not count as clipped. If `rectified`, the
    gradient stops at zero, like that of a ReLU; `low` must be 0 then.
    """
    # Python floats rather than tensors, because such kernels read a tensor once; and hardtanh,
    # because its backward pass costs a third of that of a custom autograd function. Rounding is a
    # straight-through estimator on the detached value: autograd sees only the clip.
    clipped = nn.functional.hardtanh(
        x, 0.0 if rectified else (low - REACH) * scale, (high + REACH) * scale
    )
    clipped.detach().div_(scale).round_().mul_(scale)
    return clipped


class FusedReLU(nn.ReLU):
    """A ReLU that is carried out by the rectified quantizer behind it, which saves two passes over
    the tensor.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The input unchanged."""
        return input


class ActivationQuantizer(nn.Module):
    """Rounds a tensor to 2^bits evenly spaced levels in a range that holds zero, one of them zero.

    The range is set by calibration, and changed by batches in training as `range_update` says. The
    "widest" range of several tensors holds them all, so they can share a quantizer. The gradient
    passes straight through inside the range, and stops outside of it. A `rectified` quantizer has a
    range from zero, and so also acts as a ReLU.
    """

    low: Tensor
    high: Tensor

    def __init__(
        self, bits: int, range_update: RangeUpdate = "widest", rectified: bool = False
    ) -> None:
        super().__init__()
        self.bits, self.range_update, self.rectified = bits, range_update, rectified
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    @property
    def top(self) -> int:
        """The largest integer, 2^bits - 1."""
        return int(2**self.bits - 1)

    def ends(self) -> tuple[float, float]:
        """The ends of the range: low, at most 0, and high, at least 0."""
        return self.low.item(), self.high.item()

    def set_ends(self, low: float, high: float) -> None:
        """Sets the range, widened to hold zero."""
        self.low.fill_(min(low, 0.0))
        self.high.fill_(max(high, 0.0))

    def levels(self) -> tuple[float, int]:
        """The scale, a float32 value, and the zero point, in 0 … 2^bits - 1."""
        low, high = self.ends()
        # Rounded to float32, as files store it.
        scale = float(np.float32(max((high - low) / self.top, SMALLEST_SCALE)))
        return scale, min(round(-low / scale), self.top)

    def observe(self, x: Tensor) -> None:
        """Updates the range with the minimum and maximum of a batch."""
        if self.range_update == "fixed":
            return
        x = x.detach()  # two reductions, because aminmax() copies non-contiguous tensors
        low, high = 0.0 if self.rectified else min(x.amin().item(), 0.0), max(x.amax().item(), 0.0)
        before = self.ends()
        moved = before[0] + MOMENTUM * (low - before[0]), before[1] + MOMENTUM * (high - before[1])
        if self.range_update == "widest":
            moved = min(moved[0], low), max(moved[1], high)
        self.set_ends(*moved)

    def _observe_on_gpu(self, x: Tensor) -> None:
        """The same, without waiting for the GPU."""
        x, before = x.detach(), (precise(self.low), precise(self.high))
        found = precise(x.amin()).clamp_max(0.0), precise(x.amax()).clamp_min(0.0)
        low, high = (old + MOMENTUM * (new - old) for old, new in zip(before, found, strict=True))
        if self.range_update == "widest":
            low, high = torch.minimum(low, found[0]), torch.maximum(high, found[1])
        if not self.rectified:
            self.low.copy_(low)
        self.high.copy_(high)

    def forward(self, x: Tensor) -> Tensor:
        """`x` with every element at its nearest level, after observing it in training mode."""
        if x.device.type != "cpu":
            if self.training and self.range_update != "fixed":
                self._observe_on_gpu(x)
            levels = levels_of(precise(self.low), precise(self.high), self.top, SMALLEST_SCALE)
            return nearest_level_on_gpu(x, levels, self.rectified)
        if self.training:
            self.observe(x)
        scale, zero = self.levels()
        # The zero point is an integer, so x / scale rounds the same with and without it.
        return nearest_level(x, scale, -zero, self.top - zero, self.rectified)
