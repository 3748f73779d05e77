"""Tensors between layers, rounded to the levels of their integers."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

Follow = Literal["widest", "average", "fixed"]
"""How a range moves in training: it widens at once and shrinks slowly, follows the ends of batches
slowly, or stays.
"""

SHRINKAGE = 0.01
# Half a step, and not so much that it could be rounded up.
REACH = 0.4999
SMALLEST_SCALE = 1e-8


def nearest_level(x: Tensor, scale: float, low: int, high: int, rectified: bool) -> Tensor:
    """`x` at the nearest of the multiples `low` … `high` of a scale; the gradient passes where
    nothing is clipped.

    Up to half a step beyond the last levels nothing is clipped. Rectified, the gradient stops at
    zero, as behind a ReLU.
    """
    # Plain numbers, because kernels that take them read a tensor once; and torch's own clip,
    # because it costs a third of what a function of ours costs in the backward pass. Rounded behind
    # its back, the clip has the gradient of the whole.
    clipped = nn.functional.hardtanh(
        x, 0.0 if rectified else (low - REACH) * scale, (high + REACH) * scale
    )
    clipped.detach().div_(scale).round_().mul_(scale)
    return clipped


class FusedReLU(nn.ReLU):
    """A ReLU that the range behind it carries out: clipping at zero twice would take two more
    passes.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The input as it is."""
        return input


class ActivationQuantizer(nn.Module):
    """Rounds a tensor to 2^bits levels between the smallest and the largest value seen, zero among
    them.

    The range is that of calibration, then moves with the batches seen in training as `follow` says;
    one that widens at once can serve several tensors. The gradient passes straight through inside
    the range and stops outside it. A rectified range begins at zero and does what a ReLU before it
    would do.
    """

    low: Tensor
    high: Tensor

    def __init__(self, bits: int, follow: Follow = "widest", rectified: bool = False) -> None:
        super().__init__()
        self.bits, self.follow, self.rectified = bits, follow, rectified
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    @property
    def top(self) -> int:
        """The largest integer."""
        return int(2**self.bits - 1)

    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.low.item(), self.high.item()

    def set_ends(self, low: float, high: float) -> None:
        """Makes this the range, and zero a part of it."""
        self.low.fill_(min(low, 0.0))
        self.high.fill_(max(high, 0.0))

    def levels(self) -> tuple[float, int]:
        """The scale, and the integer that stands for zero."""
        low, high = self.ends()
        # A scale that float32 holds: it is what a file stores.
        scale = float(np.float32(max((high - low) / self.top, SMALLEST_SCALE)))
        return scale, min(round(-low / scale), self.top)

    def observe(self, x: Tensor) -> None:
        """Widens the range to hold `x`, or moves it a little towards that of `x`."""
        if self.follow == "fixed":
            return
        x = x.detach()  # two reductions, because aminmax() copies what is not contiguous
        low, high = 0.0 if self.rectified else min(x.amin().item(), 0.0), max(x.amax().item(), 0.0)
        before = self.ends()
        slow = before[0] + SHRINKAGE * (low - before[0]), before[1] + SHRINKAGE * (high - before[1])
        if self.follow == "widest":
            slow = min(slow[0], low), max(slow[1], high)
        self.set_ends(*slow)

    def forward(self, x: Tensor) -> Tensor:
        """`x` with every element at its nearest level."""
        if self.training:
            self.observe(x)
        scale, zero = self.levels()
        # The zero point is whole, so x / scale rounds the same with and without it.
        return nearest_level(x, scale, -zero, self.top - zero, self.rectified)
