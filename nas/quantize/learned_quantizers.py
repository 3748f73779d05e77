"""Activation quantizers with learned or with dynamic ranges."""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from nas.quantize.activation_quantizers import SMALLEST_SCALE, ActivationQuantizer
from nas.quantize.learned_rounding import (
    SMALLEST_RATIO,
    gradient_scale,
    learned_clip,
    learned_step,
    learned_steps,
)
from nas.quantize.rounding_on_gpu import learned_clip as learned_clip_on_gpu
from nas.quantize.rounding_on_gpu import levels_of, precise
from nas.tracing import UnsupportedError

ActivationMethod = Literal["widest", "average", "fixed", "pact", "lsq"]
"""How ranges change in training: as a `RangeUpdate` says, or by gradients of their ends (PACT) or
of their step (LSQ).
"""


class PactQuantizer(ActivationQuantizer):
    """A quantizer whose range has learned ends, initially those of calibration (PACT, Choi et al.,
    2018).

    PACT learns the high end, for tensors behind a ReLU; the low end of other tensors is learned
    likewise.
    """

    def __init__(self, bits: int, rectified: bool = False) -> None:
        super().__init__(bits, "fixed", rectified)
        # The parameters are ratios to the calibrated ends, because Adam moves a parameter by about
        # the learning rate, however small the parameter is.
        self.ratios = nn.Parameter(torch.ones(1 if rectified else 2))

    def ends(self) -> tuple[float, float]:
        """The current ends."""
        ratios = [max(ratio, SMALLEST_RATIO) for ratio in self.ratios.tolist()]
        low, high = super().ends()
        return low if self.rectified else low * ratios[-1], high * ratios[0]

    def set_ends(self, low: float, high: float) -> None:
        """Sets the range, widened to hold zero, and resets what was learned."""
        super().set_ends(low, high)
        nn.init.ones_(self.ratios)

    def forward(self, x: Tensor) -> Tensor:
        """`x` with every element at its nearest level."""
        if x.device.type != "cpu":
            return self._on_gpu(x)
        low, high = super().ends()
        slopes = tuple(
            end * (ratio >= SMALLEST_RATIO)
            for end, ratio in zip((high, low), self.ratios.tolist(), strict=False)
        )
        return learned_clip(x, self.ratios, *self.levels(), self.top, slopes, self.rectified)

    def _on_gpu(self, x: Tensor) -> Tensor:
        ratios = self.ratios.clamp_min(SMALLEST_RATIO)
        high, low = self.high * ratios[0], self.low if self.rectified else self.low * ratios[-1]
        ends = precise(self.low), precise(self.high) * precise(ratios[0])
        if not self.rectified:
            ends = ends[0] * precise(ratios[-1]), ends[1]
        levels = levels_of(*ends, self.top, SMALLEST_SCALE)
        return learned_clip_on_gpu(x, low, high, levels, self.rectified)


class LsqQuantizer(ActivationQuantizer):
    """A quantizer with a learned step, initially that of calibration, and its zero point (LSQ,
    Esser et al., 2020).
    """

    def __init__(self, bits: int, rectified: bool = False) -> None:
        super().__init__(bits, "fixed", rectified)
        self.ratio = nn.Parameter(torch.ones(()))

    def _step(self) -> tuple[float, float]:
        """The current step, and its derivative by the ratio."""
        first, ratio = (self.high.item() - self.low.item()) / self.top, self.ratio.item()
        step = max(first * max(ratio, SMALLEST_RATIO), SMALLEST_SCALE)
        # Rounded to float32, as files store it.
        return float(
            np.float32(step)
        ), first if ratio >= SMALLEST_RATIO and step > SMALLEST_SCALE else 0.0

    def set_ends(self, low: float, high: float) -> None:
        """Sets the range, widened to hold zero, and resets what was learned."""
        super().set_ends(low, high)
        nn.init.ones_(self.ratio)

    def levels(self) -> tuple[float, int]:
        """The current step, and the calibrated zero point."""
        return self._step()[0], super().levels()[1]

    def forward(self, x: Tensor) -> Tensor:
        """`x` with every element at its nearest level."""
        if x.device.type != "cpu":
            return self._on_gpu(x)
        zero, (step, slope) = super().levels()[1], self._step()
        # As many as the features of one sample.
        scale = gradient_scale(max(math.prod(x.shape[1:]), 1), self.top)
        return learned_step(
            x, self.ratio, step, -zero, self.top - zero, scale * slope, self.rectified
        )

    def _on_gpu(self, x: Tensor) -> Tensor:
        calibrated = levels_of(precise(self.low), precise(self.high), self.top, SMALLEST_SCALE)
        # One row, for which the steps of weights are the same arithmetic.
        scale = gradient_scale(max(math.prod(x.shape[1:]), 1), self.top)
        rounded = learned_steps(
            (x.relu() if self.rectified else x)[None],
            self.ratio.view(1),
            calibrated.scale.view(1),
            0,
            self.top,
            scale,
            calibrated.zero.view(1),
        )
        return rounded[0]


class DynamicQuantizer(ActivationQuantizer):
    """A quantizer whose range is that of each batch; it has no integer program."""

    def __init__(self, bits: int, rectified: bool = False) -> None:
        super().__init__(bits, "fixed", rectified)

    def forward(self, x: Tensor) -> Tensor:
        """`x` with every element at its nearest level."""
        found = ActivationQuantizer(self.bits, "fixed", self.rectified)
        found.set_ends(0.0 if self.rectified else x.amin().item(), x.amax().item())
        rounded: Tensor = found.eval()(x)
        return rounded

    def levels(self) -> tuple[float, int]:
        """Nothing: there is no scale before the network runs.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "scales must be constants of an integer program, but those of dynamic quantizers are computed when a network runs; "
            "calibrate ranges on data instead, with quantize() or Quantization"
        )


def activation_quantizer(
    bits: int, activations: ActivationMethod, rectified: bool
) -> ActivationQuantizer:
    """A quantizer of `bits` bits for one tensor, which also acts as a ReLU if `rectified`."""
    if activations == "pact":
        return PactQuantizer(bits, rectified)
    if activations == "lsq":
        return LsqQuantizer(bits, rectified)
    return ActivationQuantizer(bits, activations, rectified)
