"""Weight quantizers: what rounds the weights of a layer, and where its scales come from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from nas.quantize.first_steps import (
    FirstStep,
    affine_least_error_step,
    least_error_step,
    mean_step,
)
from nas.quantize.learned_rounding import SMALLEST_RATIO, gradient_scale, learned_steps
from nas.quantize.weight_levels import (
    SMALLEST_SCALE,
    Granularity,
    affine_levels,
    binary_levels,
    channels,
    straight_through,
    ternary_levels,
    top_level,
    weight_levels,
)

WeightMethod = Literal["max", "lsq", "ternary", "affine", "mse", "affine_mse"]
"""Where scales come from: the largest magnitude, gradients (LSQ), the mean magnitude of ternary
weights, or the smallest and the largest weight; the least squared error, and from there gradients,
for symmetric or for affine levels.
"""

LevelRule = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From weights [out, …] to their levels and the scale of each output channel, [out]."""


class WeightQuantizer(nn.Module, ABC):
    """Rounds weights [out, …] to levels of `bits` bits times a scale for each output channel;
    abstract.

    Levels are symmetric, or `affine`: any 2^bits consecutive integers with 0 among them.
    """

    def __init__(self, bits: int, affine: bool = False) -> None:
        super().__init__()
        self.bits, self.affine = bits, affine

    @abstractmethod
    def levels(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The level of each weight, and the scale of each output channel, [out]."""

    @abstractmethod
    def rescale(self, ratio: Tensor) -> None:
        """Follows weights whose channels were multiplied by these ratios, [out], each 0 or more."""


class ComputedScale(WeightQuantizer):
    """Scales that `rule` computes from the weights; the gradient passes straight through to all of
    them.
    """

    def __init__(self, bits: int, rule: LevelRule, affine: bool = False) -> None:
        super().__init__(bits, affine)
        self.rule = rule

    def levels(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The levels and scales of the rule."""
        return self.rule(weight)

    def forward(self, weight: Tensor) -> Tensor:
        """The rounded weights."""
        return straight_through(weight, *self.rule(weight))

    def rescale(self, ratio: Tensor) -> None:
        """Does nothing: scales follow the weights."""


class LearnedStep(WeightQuantizer):
    """Learned steps; weights beyond the last level are clipped (LSQ, Esser et al., 2020).

    There is a step for each channel of `weight`, or one for all, as `granularity` says; they begin
    as `start` finds them. If it finds zero points too, levels are affine, and the zero points stay
    (LSQ+ learns an offset; Bhalgat et al., 2020).
    """

    first: Tensor
    zero: Tensor | None

    def __init__(
        self, bits: int, weight: Tensor, granularity: Granularity, start: FirstStep = mean_step
    ) -> None:
        first, zero = start(weight, bits, granularity)
        super().__init__(bits, affine=zero is not None)
        # The parameter is a ratio to the initial step, because Adam moves a parameter by about the
        # learning rate, however small the parameter is.
        self.register_buffer("first", first)
        self.register_buffer("zero", zero)
        self.ratio = nn.Parameter(torch.ones_like(first))

    def levels(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest levels, and the current steps."""
        step = (self.first * self.ratio.clamp_min(SMALLEST_RATIO)).detach().expand(len(weight))
        levels = weight.detach().div(channels(step, weight))
        if self.zero is None:
            top = top_level(self.bits)
            return levels.round_().clamp_(-top, top), step
        zero = channels(self.zero, weight)
        return levels.add_(zero).round_().clamp_(0, 2**self.bits - 1).sub_(zero), step

    def forward(self, weight: Tensor) -> Tensor:
        """The rounded weights."""
        top = top_level(self.bits)
        scale = gradient_scale(weight.numel() // len(self.ratio), top)
        low, high = (-top, top) if self.zero is None else (0, 2**self.bits - 1)
        return learned_steps(weight, self.ratio, self.first, low, high, scale, self.zero)

    def rescale(self, ratio: Tensor) -> None:
        """Multiplies the steps like the weights."""
        with torch.no_grad():
            self.first.mul_(ratio if len(self.first) == len(ratio) else ratio.max()).clamp_min_(
                SMALLEST_SCALE
            )


_STARTS: Mapping[WeightMethod, FirstStep] = {
    "lsq": mean_step,
    "mse": least_error_step,
    "affine_mse": affine_least_error_step,
}
"""The methods that learn steps, and where these begin."""


def weight_quantizer(
    weight: Tensor, bits: int, method: WeightMethod = "max", granularity: Granularity = "channel"
) -> WeightQuantizer:
    """The quantizer for weights of 1 to 8 bits.

    Weights of 1 bit are binary by any method. "ternary" is for 2 bits, and the same as "max" for
    others.
    """
    if bits == 1:
        return ComputedScale(bits, partial(binary_levels, granularity=granularity))
    if method == "ternary" and bits == 2:
        return ComputedScale(bits, partial(ternary_levels, granularity=granularity))
    if (start := _STARTS.get(method)) is not None:
        return LearnedStep(bits, weight, granularity, start)
    if method == "affine":
        rule = partial(affine_levels, bits=bits, granularity=granularity)
        return ComputedScale(bits, rule, affine=True)
    return ComputedScale(bits, partial(weight_levels, bits=bits, granularity=granularity))
