"""Weights as integers: the level of each weight, and the scale of each output channel (dimension
0).
"""

from typing import Literal

import torch
from torch import Tensor

Scales = Literal["channel", "tensor"]
"""Whether each output channel has a scale of its own, or all have the same."""

MARGIN = 0.499
THRESHOLD = 0.7
# A channel of zeros has no magnitude; any scale quantizes it to zeros.
SMALLEST_SCALE = 1e-30


def top_level(bits: int) -> int:
    """The largest level of weights: 2^(bits-1) - 1, and 1 for weights of 1 bit, which are -1 and 1."""
    return 1 if bits == 1 else int(2 ** (bits - 1)) - 1


def weight_levels(
    weight: Tensor, bits: int, scales: Scales = "channel", margin: float = MARGIN
) -> tuple[Tensor, Tensor]:
    """The levels of weights of 2 to 8 bits and their scales [out], which follow from the largest
    magnitude.

    `margin` is how far beyond the outermost level the largest weight lies, in steps. At nearly half
    a step the levels are the centers of equal bins between minus and plus the largest magnitude; at
    0 the largest weight is a level, as in most libraries.
    """
    # Less than half a step, or the largest weight would be rounded out of its bin.
    weight = weight.detach()
    scale = _largest(weight, scales).clamp_min_(SMALLEST_SCALE).div_(top_level(bits) + margin)
    return weight.div(channels(scale, weight)).round_(), scale


def binary_levels(
    weight: Tensor, bits: int = 1, scales: Scales = "channel"
) -> tuple[Tensor, Tensor]:
    """The signs of weights, +1 for 0, and their mean magnitude [out]: the nearest of all that have
    1 bit.

    XNOR-Net (Rastegari et al., 2016).
    """
    assert bits == 1
    weight = weight.detach()
    scale = _mean(weight.abs(), torch.ones_like(weight), scales)
    return torch.where(weight < 0, -1.0, 1.0), scale


def ternary_levels(
    weight: Tensor, bits: int = 2, scales: Scales = "channel"
) -> tuple[Tensor, Tensor]:
    """-1, 0 or 1 for each weight, 0 up to 0.7 of the mean magnitude, and the mean magnitude of the
    others [out].

    Ternary weight networks (Li et al., 2016).
    """
    assert bits == 2
    weight = weight.detach()
    size = weight.abs()
    kept = size > THRESHOLD * channels(_mean(size, torch.ones_like(size), scales), weight)
    return weight.sign() * kept, _mean(size, kept.to(size.dtype), scales)


def affine_levels(weight: Tensor, bits: int, scales: Scales = "channel") -> tuple[Tensor, Tensor]:
    """The levels q - z of weights of 2 to 8 bits, q and a whole zero point z in 0 … 2^bits - 1, and
    their scales [out].

    Zero is a level, and all weights are less than half a step from theirs. The scale is the least
    that allows this, with the margin of `weight_levels`; so it is never above that of symmetric
    levels, and half of it where no weight is negative.
    """
    weight = weight.detach()
    over = tuple(range(weight.ndim))[scales == "channel" :]
    below = weight.amin(over).neg_().clamp_min_(SMALLEST_SCALE).view(-1)
    above = weight.amax(over).clamp_min_(SMALLEST_SCALE).view(-1)
    top = 2**bits - 1
    # Up to where both sides need the same scale, it is the side below zero that decides, and after
    # that the other one. Of the zero points next to there the better one has the least scale,
    # unless it is beyond the first or the last.
    zero = below.div(below + above).mul_(top + 2 * MARGIN).sub_(MARGIN).floor_()
    inner = torch.minimum(below / (zero + MARGIN), above / (top - 1 - zero).add_(MARGIN))
    scale = torch.maximum(inner, torch.maximum(below, above).div_(top + MARGIN))
    return weight.div(channels(scale, weight)).round_(), scale.expand(len(weight))


def channels(scale: Tensor, weight: Tensor) -> Tensor:
    """Scales [out] in a shape that multiplies weights [out, …]."""
    return scale.view(-1, *[1] * (weight.ndim - 1))


def _largest(weight: Tensor, scales: Scales) -> Tensor:
    if scales == "tensor":
        return weight.abs().amax().repeat(len(weight))
    largest: Tensor = torch.linalg.vector_norm(weight, torch.inf, tuple(range(1, weight.ndim)))
    return largest


def _mean(size: Tensor, counted: Tensor, scales: Scales) -> Tensor:
    """The mean of what is counted."""
    over = tuple(range(1, size.ndim))
    total, count = (size * counted).sum(over), counted.sum(over)
    if scales == "tensor":
        total, count = total.sum().repeat(len(size)), count.sum().repeat(len(size))
    return total.div_(count.clamp_min_(1.0)).clamp_min_(SMALLEST_SCALE)


def straight_through(weight: Tensor, levels: Tensor, scale: Tensor) -> Tensor:
    """levels · scale, with a gradient that passes to all weights unchanged (Bengio et al., 2013)."""
    # A copy that is written to behind the back of its gradient costs half of what a function of
    # ours costs.
    value = weight.clone()
    torch.mul(levels, channels(scale, weight), out=value.detach())
    return value
