"""The steps that learned quantizers of weights start with."""

from collections.abc import Callable

import torch
from torch import Tensor

from nas.quantize.learned_rounding import first_step
from nas.quantize.weight_levels import MARGIN, SMALLEST_SCALE, Granularity, top_level

FirstStep = Callable[[Tensor, int, Granularity], tuple[Tensor, Tensor | None]]
"""From weights [out, …] of some bits to steps, and to zero points if levels are affine: both [out],
or [1] if the whole tensor has one.
"""

# Shares of the step at which nothing is clipped. The best is at a half for 2 bits and near 1 for 8.
_SHARES = tuple(1.0 - 0.025 * number for number in range(35))
_REFINEMENTS = 3


def mean_step(
    weight: Tensor, bits: int, granularity: Granularity = "channel"
) -> tuple[Tensor, None]:
    """Symmetric levels 2 · mean |w| / √Q apart (LSQ, Esser et al., 2020)."""
    rows = _rows(weight, granularity)
    return first_step(rows.abs().mean(1), top_level(bits)).clamp_min_(SMALLEST_SCALE), None


def least_error_step(
    weight: Tensor, bits: int, granularity: Granularity = "channel"
) -> tuple[Tensor, None]:
    """The step of symmetric levels, of 2 to 8 bits, with the least squared error of rounding and
    clipping.

    The best of 35 shares of the largest magnitude, then three times the best step for the levels
    that the step before gives (Lloyd, 1982).
    """
    rows, top = _rows(weight, granularity), top_level(bits)
    widest = rows.abs().amax(1).clamp_min_(SMALLEST_SCALE).div_(top + MARGIN)
    step, _ = _least(rows, widest, torch.full_like(widest, top), 2 * top)
    return step, None


def affine_least_error_step(
    weight: Tensor, bits: int, granularity: Granularity = "channel"
) -> tuple[Tensor, Tensor]:
    """The step and the zero point of 2^bits consecutive levels, of 2 to 8 bits, with the least
    squared error, found likewise.

    Zero points are tried near the middle of the levels, and near that at which nothing is clipped.
    """
    rows, top = _rows(weight, granularity), 2**bits - 1
    below = rows.amin(1).neg_().clamp_min_(SMALLEST_SCALE)
    above = rows.amax(1).clamp_min_(SMALLEST_SCALE)
    unclipped = below.div(below + above).mul_(top).round_()
    middle = torch.full_like(unclipped, (top + 1) // 2)
    tried = (middle, middle - 1, unclipped, unclipped - 1, unclipped + 1)
    zeros = torch.stack([zero.clamp(0, top) for zero in tried])
    steps, errors = zip(
        *(_least(rows, _widest(below, above, z, top), z, top) for z in zeros), strict=True
    )
    best = torch.stack(errors).argmin(0, keepdim=True)
    return torch.stack(steps).gather(0, best)[0], zeros.gather(0, best)[0]


def _widest(below: Tensor, above: Tensor, zero: Tensor, top: int) -> Tensor:
    """The step at which nothing is clipped; levels on one side clip all of the other."""
    both = torch.maximum(below / (zero + MARGIN), above / (top - zero + MARGIN))
    one_sided = torch.maximum(below, above) / (top + MARGIN)
    return torch.where((zero == 0) | (zero == top), one_sided, both)


def _rows(weight: Tensor, granularity: Granularity) -> Tensor:
    """Weights [out, …] as one row for each step."""
    weight = weight.detach()
    return weight.reshape(1, -1) if granularity == "tensor" else weight.flatten(1)


def _least(rows: Tensor, widest: Tensor, zero: Tensor, top: int) -> tuple[Tensor, Tensor]:
    """The best steps of rows, at most `widest`, for levels -zero … top - zero, and their squared
    errors, [rows].
    """
    best, least = widest, _error(rows, widest, zero, top)
    for share in _SHARES[1:]:
        step = widest * share
        error = _error(rows, step, zero, top)
        best, least = torch.where(error < least, step, best), torch.minimum(error, least)
    for _ in range(_REFINEMENTS):
        levels = _levels(rows, best, zero, top)
        power = levels.square().sum(1)
        fitted = (rows * levels).sum(1) / power.clamp_min(1.0)
        best = torch.where(fitted > SMALLEST_SCALE, fitted, best)
    return best.clamp_min(SMALLEST_SCALE), _error(rows, best, zero, top)


def _levels(rows: Tensor, step: Tensor, zero: Tensor, top: int) -> Tensor:
    zeros = zero[:, None]
    return torch.clamp(rows.div(step[:, None]).round_(), -zeros, top - zeros)


def _error(rows: Tensor, step: Tensor, zero: Tensor, top: int) -> Tensor:
    return _levels(rows, step, zero, top).mul_(step[:, None]).sub_(rows).square_().sum(1)
