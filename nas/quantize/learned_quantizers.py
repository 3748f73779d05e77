"""Ranges that are learnt with the network, and ranges that are found anew for each batch."""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from nas.quantize.activation_quantizers import SMALLEST_SCALE, ActivationQuantizer
from nas.quantize.learned_rounding import SMALLEST_RATIO, gradient_scale, learned_clip, learned_step
from nas.quantize.roles import UnsupportedError

Activations = Literal["widest", "average", "fixed", "pact", "lsq"]
"""How ranges move in training: with the batches, not at all, or learnt."""


class PactQuantizer(ActivationQuantizer):
    """A range whose ends are learnt from what they clip, from those of calibration on: PACT (Choi
    et al., 2018).

    PACT has a high end, for tensors behind a ReLU; where a tensor has negative values, its low end
    is learnt as well.
    """

    def __init__(self, bits: int, rectified: bool = False) -> None:
        super().__init__(bits, "fixed", rectified)
        # What is learnt begins at 1, because Adam moves a parameter by as much as its learning
        # rate, however small it is.
        self.ratios = nn.Parameter(torch.ones(1 if rectified else 2))

    def ends(self) -> tuple[float, float]:
        """The ends as they are now."""
        ratios = [max(ratio, SMALLEST_RATIO) for ratio in self.ratios.tolist()]
        low, high = super().ends()
        return low if self.rectified else low * ratios[-1], high * ratios[0]

    def set_ends(self, low: float, high: float) -> None:
        """Makes this the range, and zero a part of it."""
        super().set_ends(low, high)
        nn.init.ones_(self.ratios)

    def forward(self, x: Tensor) -> Tensor:
        """`x` with every element at its nearest level."""
        low, high = super().ends()
        slopes = tuple(
            end * (ratio >= SMALLEST_RATIO)
            for end, ratio in zip((high, low), self.ratios.tolist(), strict=False)
        )
        return learned_clip(x, self.ratios, *self.levels(), self.top, slopes, self.rectified)


class LsqQuantizer(ActivationQuantizer):
    """A range whose step is learnt, from that of calibration on: LSQ (Esser et al., 2020). Its zero
    point stays.
    """

    def __init__(self, bits: int, rectified: bool = False) -> None:
        super().__init__(bits, "fixed", rectified)
        self.ratio = nn.Parameter(torch.ones(()))

    def _step(self) -> tuple[float, float]:
        """The step as it is now, and how fast it grows with the ratio."""
        first, ratio = (self.high.item() - self.low.item()) / self.top, self.ratio.item()
        step = max(first * max(ratio, SMALLEST_RATIO), SMALLEST_SCALE)
        # A scale that float32 holds: it is what a file stores.
        return float(
            np.float32(step)
        ), first if ratio >= SMALLEST_RATIO and step > SMALLEST_SCALE else 0.0

    def set_ends(self, low: float, high: float) -> None:
        """Makes this the range, and zero a part of it."""
        super().set_ends(low, high)
        nn.init.ones_(self.ratio)

    def levels(self) -> tuple[float, int]:
        """The step as it is now, and the integer that stands for zero."""
        return self._step()[0], super().levels()[1]

    def forward(self, x: Tensor) -> Tensor:
        """`x` with every element at its nearest level."""
        zero, (step, slope) = super().levels()[1], self._step()
        # As many as the features of one sample.
        scale = gradient_scale(max(math.prod(x.shape[1:]), 1), self.top)
        return learned_step(
            x, self.ratio, step, -zero, self.top - zero, scale * slope, self.rectified
        )


class DynamicQuantizer(ActivationQuantizer):
    """A range that is found anew for each batch: that of its smallest and largest value."""

    def __init__(self, bits: int, rectified: bool = False) -> None:
        super().__init__(bits, "fixed", rectified)

    def forward(self, x: Tensor) -> Tensor:
        """`x` with every element at its nearest level."""
        found = ActivationQuantizer(self.bits, "fixed", self.rectified)
        found.set_ends(0.0 if self.rectified else x.amin().item(), x.amax().item())
        rounded: Tensor = found.eval()(x)
        return rounded

    def levels(self) -> tuple[float, int]:
        """Refuses: there is no scale before the network runs.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "scales that are computed when a network runs have no integer program, which holds them as constants; "
            "calibrate ranges on data instead, with quantize() or Quantization"
        )


def activation_quantizer(
    bits: int, activations: Activations, rectified: bool
) -> ActivationQuantizer:
    """The range for one tensor of `bits` bits."""
    if activations == "pact":
        return PactQuantizer(bits, rectified)
    if activations == "lsq":
        return LsqQuantizer(bits, rectified)
    return ActivationQuantizer(bits, activations, rectified)
