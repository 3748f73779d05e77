"""Weight quantizers: what rounds the weights of a layer, and where its scales come from."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from nas.quantize.learned_rounding import SMALLEST_RATIO, first_step, gradient_scale, learned_steps
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

WeightMethod = Literal["max", "lsq", "ternary", "affine"]
"""Where scales come from: the largest magnitude, gradients (LSQ), the mean magnitude of ternary
weights, or the smallest and the largest weight.
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
    """Learned scales, initially 2 · mean |w| / √Q; weights beyond the last level are clipped (LSQ,
    Esser et al., 2020).

    There is a scale for each channel of `weight`, or one for all, as `granularity` says.
    """

    first: Tensor

    def __init__(self, bits: int, weight: Tensor, granularity: Granularity) -> None:
        super().__init__(bits)
        size = weight.detach().abs()
        mean = size.mean().view(1) if granularity == "tensor" else size.flatten(1).mean(1)
        # The parameter is a ratio to the initial step, because Adam moves a parameter by about the
        # learning rate, however small the parameter is.
        self.register_buffer("first", first_step(mean, top_level(bits)).clamp_min_(SMALLEST_SCALE))
        self.ratio = nn.Parameter(torch.ones_like(mean))

    def _step(self) -> Tensor:
        return self.first * self.ratio.clamp_min(SMALLEST_RATIO)

    def levels(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest levels, and the current steps."""
        top, step = top_level(self.bits), self._step().detach().expand(len(weight))
        return weight.detach().div(channels(step, weight)).round_().clamp_(-top, top), step

    def forward(self, weight: Tensor) -> Tensor:
        """The rounded weights."""
        top = top_level(self.bits)
        scale = gradient_scale(weight.numel() // len(self.ratio), top)
        return learned_steps(weight, self.ratio, self.first, -top, top, scale)

    def rescale(self, ratio: Tensor) -> None:
        """Multiplies the steps like the weights."""
        with torch.no_grad():
            self.first.mul_(ratio if len(self.first) == len(ratio) else ratio.max()).clamp_min_(
                SMALLEST_SCALE
            )


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
    if method == "lsq":
        return LearnedStep(bits, weight, granularity)
    if method == "affine":
        rule = partial(affine_levels, bits=bits, granularity=granularity)
        return ComputedScale(bits, rule, affine=True)
    return ComputedScale(bits, partial(weight_levels, bits=bits, granularity=granularity))
