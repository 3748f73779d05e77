"""Weights as integers: the level of each weight, and the scale of each output channel (dimension
0).
"""

from typing import Literal

import torch
from torch import Tensor

Granularity = Literal["channel", "tensor"]
"""What has a scale of its own: each output channel, or the whole tensor."""

MARGIN = 0.499
THRESHOLD = 0.7
# A channel of zeros has no magnitude; any scale quantizes it to zeros.
SMALLEST_SCALE = 1e-30
_FEW = 2**16


def top_level(bits: int) -> int:
    """The largest symmetric level: 2^(bits-1) - 1, and 1 for weights of 1 bit, -1 and 1."""
    return 1 if bits == 1 else int(2 ** (bits - 1)) - 1


def weight_levels(
    weight: Tensor, bits: int, granularity: Granularity = "channel", margin: float = MARGIN
) -> tuple[Tensor, Tensor]:
    """Symmetric levels of weights of 2 to 8 bits, and scales [out] by the largest magnitude.

    `margin` is how far the largest weight lies beyond the last level, in steps, and must be below
    0.5, beyond which it would round to a level that does not exist. Near 0.5 the levels are the
    centers of equal bins between minus and plus the largest magnitude; at 0 the largest weight is a
    level, as in most libraries.
    """
    weight = weight.detach()
    scale = _largest(weight, granularity).clamp_min_(SMALLEST_SCALE).div_(top_level(bits) + margin)
    return weight.div(channels(scale, weight)).round_(), scale


def binary_levels(
    weight: Tensor, bits: int = 1, granularity: Granularity = "channel"
) -> tuple[Tensor, Tensor]:
    """The sign of each weight, 1 for 0, and scales [out], the mean magnitudes: the least squared
    error with 1 bit.

    XNOR-Net (Rastegari et al., 2016).
    """
    assert bits == 1
    weight = weight.detach()
    scale = _mean(weight.abs(), torch.ones_like(weight), granularity)
    return torch.where(weight < 0, -1.0, 1.0), scale


def ternary_levels(
    weight: Tensor, bits: int = 2, granularity: Granularity = "channel"
) -> tuple[Tensor, Tensor]:
    """The sign of each weight, or 0 up to 0.7 of the mean magnitude, and scales [out], the mean
    magnitudes of the weights that are not 0.

    Ternary weight networks (Li et al., 2016).
    """
    assert bits == 2
    weight = weight.detach()
    size = weight.abs()
    kept = size > THRESHOLD * channels(_mean(size, torch.ones_like(size), granularity), weight)
    return weight.sign() * kept, _mean(size, kept.to(size.dtype), granularity)


def affine_levels(
    weight: Tensor, bits: int, granularity: Granularity = "channel"
) -> tuple[Tensor, Tensor]:
    """Levels q - z of weights of 2 to 8 bits, where q and the zero point z are integers in
    0 … 2^bits - 1, and scales [out].

    The scale is the smallest at which every weight rounds to a level, with the margin of
    `weight_levels`. It is never above the scale of symmetric levels, and half of it where no weight
    is negative.
    """
    weight = weight.detach()
    over = tuple(range(weight.ndim))[granularity == "channel" :]
    below = weight.amin(over).neg_().clamp_min_(SMALLEST_SCALE).view(-1)
    above = weight.amax(over).clamp_min_(SMALLEST_SCALE).view(-1)
    top = 2**bits - 1
    # With few levels below zero, the negative weights decide the scale, and with many the positive
    # ones. The best zero point is next to where both need the same scale, and of its two neighbors
    # the one with the smaller scale, unless it lies outside of the levels.
    zero = below.div(below + above).mul_(top + 2 * MARGIN).sub_(MARGIN).floor_()
    inner = torch.minimum(below / (zero + MARGIN), above / (top - 1 - zero).add_(MARGIN))
    scale = torch.maximum(inner, torch.maximum(below, above).div_(top + MARGIN))
    return weight.div(channels(scale, weight)).round_(), scale.expand(len(weight))


def channels(scale: Tensor, weight: Tensor) -> Tensor:
    """Scales [out], or a single one [1], as [out, 1, …], which broadcasts over weights [out, …]."""
    return scale.view(-1, *[1] * (weight.ndim - 1))


def straight_through(weight: Tensor, levels: Tensor, scale: Tensor) -> Tensor:
    """levels · scale, whose gradient passes to all weights unchanged (Bengio et al., 2013)."""
    # A straight-through estimator: autograd sees only the clone, whose detached value is
    # overwritten. It costs half of what a custom autograd function does.
    value = weight.clone()
    torch.mul(levels, channels(scale, weight), out=value.detach())
    return value


def _largest(weight: Tensor, granularity: Granularity) -> Tensor:
    if granularity == "tensor":
        return weight.abs().amax().repeat(len(weight))
    over = tuple(range(1, weight.ndim))
    if weight.numel() < _FEW:
        return weight.abs().amax(over)
    # A fourth of the time where magnitudes would not stay in the cache.
    return torch.maximum(weight.amax(over), weight.amin(over).neg_())


def _mean(size: Tensor, counted: Tensor, granularity: Granularity) -> Tensor:
    """The means [out] of the elements that are counted, where `counted` is 1 and not 0."""
    over = tuple(range(1, size.ndim))
    total, count = (size * counted).sum(over), counted.sum(over)
    if granularity == "tensor":
        total, count = total.sum().repeat(len(size)), count.sum().repeat(len(size))
    return total.div_(count.clamp_min_(1.0)).clamp_min_(SMALLEST_SCALE)
