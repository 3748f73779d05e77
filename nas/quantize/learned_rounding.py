"""Rounding with learned parameters, steps and clipping ranges, and their gradients."""

import math
from typing import Any

import torch
from torch import Tensor

SMALLEST_RATIO = 1e-3


def gradient_scale(count: int, top: int) -> float:
    """1 / √(N · Q): the gradient of a step over N elements is then as large, relative to the step,
    as those of weights (Esser et al., 2020).
    """
    return 1.0 / math.sqrt(count * top)


def first_step(magnitude: Tensor, top: int) -> Tensor:
    """The initial step for values of this mean magnitude, 2 · mean / √Q (Esser et al., 2020)."""
    return 2.0 * magnitude / math.sqrt(top)


class _LearnedSteps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        ratio: Tensor,
        first: Tensor,
        low: float,
        high: float,
        scale: float,
        zero: Tensor | None,
    ) -> Tensor:
        one_each = -1, *[1] * (x.ndim - 1)
        step = first.mul(ratio.clamp_min(SMALLEST_RATIO)).view(one_each)
        quotient = x.div(step)
        zeros = None if zero is None else zero.view(one_each)
        if zeros is not None:
            quotient.add_(zeros)
        levels = quotient.round().clamp_(low, high)
        # Up to half a step beyond the last level counts as inside.
        ctx.ends, ctx.scale, ctx.shape = (low - 0.5, high + 0.5), scale, step.shape
        if zeros is not None:
            levels.sub_(zeros)
        ctx.save_for_backward(quotient, levels, ratio, first, zeros)
        # With the strides of `x` even in dimensions of size 1: convolutions infer their memory
        # format from the strides of the weights.
        return torch.mul(levels, step, out=torch.empty_like(x))

    @staticmethod
    def backward(
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None, None, None]:
        quotient, levels, ratio, first, zeros = ctx.saved_tensors
        inner = _inside(gradients[0], quotient, *ctx.ends)
        if zeros is not None:
            quotient = quotient - zeros
        # Inside: level - x / step; outside: the level that it is clipped to.
        of_step = (
            gradients[0]
            .mul(levels)
            .addcmul_(inner, quotient, value=-1.0)
            .sum_to_size(ctx.shape)
            .view(-1)
        )
        of_ratio = _above(of_step.mul_(first).mul_(ctx.scale), ratio, SMALLEST_RATIO)
        return inner, of_ratio, None, None, None, None, None


class _LearnedStep(torch.autograd.Function):
    """The same for one step, by kernels that read a tensor once: Python floats, dot products."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        learned: Tensor,
        step: float,
        low: float,
        high: float,
        slope: float,
        rectified: bool,
    ) -> Tensor:
        rounded = x.div(step).round_().clamp_(low, high).mul_(step)
        ctx.save_for_backward(x, rounded, learned)
        ctx.inside = 0.0 if rectified else (low - 0.5) * step, (high + 0.5) * step
        ctx.factor = slope / step
        return rounded

    @staticmethod
    def backward(
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None, None, None]:
        x, rounded, learned = ctx.saved_tensors
        inner = _inside(gradients[0], x, *ctx.inside)
        of_step = _product(gradients[0], rounded) - _product(inner, x)
        return inner, torch.full_like(learned, of_step * ctx.factor), None, None, None, None, None


# (gradient, x, low, high) and (gradient, x, low): the gradient where x lies between, or above, and
# 0 elsewhere.
_inside = torch.ops.aten.hardtanh_backward.default
_above = torch.ops.aten.threshold_backward.default


def _product(a: Tensor, b: Tensor) -> float:
    """The dot product of two tensors, without a temporary tensor if both have one memory format."""
    dense = a.is_contiguous() or a.is_contiguous(memory_format=torch.channels_last)
    if not dense or a.stride() != b.stride():
        return a.mul(b).sum().item()
    flat = (a.numel(),), (1,)
    return torch.dot(a.as_strided(*flat), b.as_strided(*flat)).item()


def learned_step(
    x: Tensor,
    learned: Tensor,
    step: float,
    low: float,
    high: float,
    slope: float,
    rectified: bool = False,
) -> Tensor:
    """`x` rounded to the nearest of the levels `low` … `high` times a positive step (LSQ, Esser et
    al., 2020).

    The gradient of the step is level - x / step inside the clipping range, and the level outside.
    Times `slope`, it is the gradient of `learned`, a parameter of one element from which the step
    was computed: autograd does not record that computation, which on small tensors would cost more
    than rounding. If `rectified`, the gradient of `x` stops at zero, like that of a ReLU; then `low`
    must be 0.
    """
    rounded: Tensor = _LearnedStep.apply(x, learned, step, low, high, slope, rectified)  # type: ignore[no-untyped-call]
    return rounded


def learned_steps(
    x: Tensor,
    ratio: Tensor,
    first: Tensor,
    low: float,
    high: float,
    scale: float,
    zero: Tensor | None = None,
) -> Tensor:
    """`x` [out, …] rounded likewise, with steps `first` · `ratio`, both [out] or [1].

    With zero points, integers of the same shape, the levels of a channel are `low` - zero … `high` -
    zero. The gradient of the ratio, a parameter, is multiplied by `scale`. A ratio below
    `SMALLEST_RATIO` counts as that, and has no gradient.
    """
    rounded: Tensor = _LearnedSteps.apply(x, ratio, first, low, high, scale, zero)  # type: ignore[no-untyped-call]
    return rounded


class _LearnedClip(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        learned: Tensor,
        scale: float,
        zero: int,
        top: int,
        slopes: tuple[float, ...],
        rectified: bool,
    ) -> Tensor:
        ctx.save_for_backward(x)
        # Half a step beyond the last levels; the ends of the range are within half a step of these.
        ctx.ends = 0.0 if rectified else (-zero - 0.5) * scale, (top - zero + 0.5) * scale
        ctx.slopes, ctx.like = slopes, learned.dtype
        return x.div(scale).round_().clamp_(-zero, top - zero).mul_(scale)

    @staticmethod
    def backward(
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None, None, None]:
        (x,) = ctx.saved_tensors
        low, high = ctx.ends
        outside = ((high, math.inf), (-math.inf, low))
        cut = [
            _inside(gradients[0], x, *ends).sum().item() * slope
            for ends, slope in zip(outside, ctx.slopes, strict=False)
        ]
        return (
            _inside(gradients[0], x, low, high),
            x.new_tensor(cut, dtype=ctx.like),
            None,
            None,
            None,
            None,
            None,
        )


def learned_clip(
    x: Tensor,
    learned: Tensor,
    scale: float,
    zero: int,
    top: int,
    slopes: tuple[float, ...],
    rectified: bool,
) -> Tensor:
    """`x` rounded to the nearest of the levels 0 - `zero` … `top` - `zero` times `scale` (PACT,
    Choi et al., 2018).

    The gradient of each end is the sum of those of the elements clipped to it. Times `slopes`, they
    are the gradients of `learned`, a parameter of the high end alone, as in PACT, or of both, the
    high end first. If `rectified`, the gradient of `x` stops at zero, like that of a ReLU.
    """
    rounded: Tensor = _LearnedClip.apply(x, learned, scale, zero, top, slopes, rectified)  # type: ignore[no-untyped-call]
    return rounded
