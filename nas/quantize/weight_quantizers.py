"""What a quantized layer rounds its weights with."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from nas.quantize.learned_rounding import SMALLEST_RATIO, first_step, gradient_scale, learned_steps
from nas.quantize.weight_levels import (
    SMALLEST_SCALE,
    Scales,
    affine_levels,
    binary_levels,
    channels,
    straight_through,
    ternary_levels,
    top_level,
    weight_levels,
)

WeightMethod = Literal["max", "lsq", "ternary", "affine"]
Rule = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From weights to their levels, and the scale of each output channel."""


class WeightQuantizer(nn.Module):
    """Rounds weights to levels of `bits` bits, each output channel's times a scale; abstract.

    Levels are symmetric, or `affine`: any 2^bits whole numbers in a row of which 0 is one.
    """

    def __init__(self, bits: int, affine: bool = False) -> None:
        super().__init__()
        self.bits, self.affine = bits, affine

    def levels(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The integer level of each weight, and the scale of each output channel, [out]."""
        raise NotImplementedError

    def rescale(self, ratio: Tensor) -> None:
        """Says that each channel of the weights, [out], was multiplied by this positive ratio, or
        by 0.
        """
        raise NotImplementedError


class ComputedScale(WeightQuantizer):
    """Scales that follow from the weights; the gradient passes straight through to all of them."""

    def __init__(self, bits: int, rule: Rule, affine: bool = False) -> None:
        super().__init__(bits, affine)
        self.rule = rule

    def levels(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """What the rule gives."""
        return self.rule(weight)

    def forward(self, weight: Tensor) -> Tensor:
        """The rounded weights."""
        return straight_through(weight, *self.rule(weight))

    def rescale(self, ratio: Tensor) -> None:
        """Nothing to do."""


class LearnedStep(WeightQuantizer):
    """Scales that are learnt, from 2 · mean |w| / √Q on; weights beyond the last level are clipped
    (Esser et al., 2020).
    """

    first: Tensor

    def __init__(self, bits: int, weight: Tensor, scales: Scales) -> None:
        super().__init__(bits)
        size = weight.detach().abs()
        mean = size.mean().view(1) if scales == "tensor" else size.flatten(1).mean(1)
        # What is learnt begins at 1, because Adam moves a parameter by as much as its learning
        # rate, however small it is.
        self.register_buffer("first", first_step(mean, top_level(bits)).clamp_min_(SMALLEST_SCALE))
        self.ratio = nn.Parameter(torch.ones_like(mean))

    def _step(self) -> Tensor:
        return self.first * self.ratio.clamp_min(SMALLEST_RATIO)

    def levels(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest levels, and the steps as they are now."""
        top, step = top_level(self.bits), self._step().detach().expand(len(weight))
        return weight.detach().div(channels(step, weight)).round_().clamp_(-top, top), step

    def forward(self, weight: Tensor) -> Tensor:
        """The rounded weights."""
        top = top_level(self.bits)
        scale = gradient_scale(weight.numel() // len(self.ratio), top)
        return learned_steps(weight, self.ratio, self.first, -top, top, scale)

    def rescale(self, ratio: Tensor) -> None:
        """Moves the steps with the weights."""
        with torch.no_grad():
            self.first.mul_(ratio if len(self.first) == len(ratio) else ratio.max()).clamp_min_(
                SMALLEST_SCALE
            )


def weight_quantizer(
    weight: Tensor, bits: int, method: WeightMethod = "max", scales: Scales = "channel"
) -> WeightQuantizer:
    """The quantizer for weights of 1 to 8 bits: binary ones for 1 bit whatever the method, ternary
    ones by "ternary" for 2.
    """
    if bits == 1:
        return ComputedScale(bits, partial(binary_levels, scales=scales))
    if method == "ternary" and bits == 2:
        return ComputedScale(bits, partial(ternary_levels, scales=scales))
    if method == "lsq":
        return LearnedStep(bits, weight, scales)
    if method == "affine":
        return ComputedScale(bits, partial(affine_levels, bits=bits, scales=scales), affine=True)
    return ComputedScale(bits, partial(weight_levels, bits=bits, scales=scales))
