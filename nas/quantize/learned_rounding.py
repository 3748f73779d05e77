"""Rounding with what is learnt beside the network: steps and clips, with their gradients."""

import math
from typing import Any

import torch
from torch import Tensor

SMALLEST_RATIO = 1e-3


def gradient_scale(count: int, top: int) -> float:
    """1 / √(N · Q): makes the gradient of a step as large, for its size, as those of weights (Esser
    et al., 2020).
    """
    return 1.0 / math.sqrt(count * top)


def first_step(magnitude: Tensor, top: int) -> Tensor:
    """The step to begin with, for values of this mean magnitude: 2 · mean / √Q (Esser et al.,
    2020).
    """
    return 2.0 * magnitude / math.sqrt(top)


class _LearnedSteps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, ratio: Tensor, first: Tensor, low: float, high: float, scale: float
    ) -> Tensor:
        step = first.mul(ratio.clamp_min(SMALLEST_RATIO)).view(-1, *[1] * (x.ndim - 1))
        quotient = x.div(step)
        levels = quotient.round().clamp_(low, high)
        ctx.save_for_backward(quotient, levels, ratio, first)
        ctx.ends, ctx.scale, ctx.shape = (low - 0.5, high + 0.5), scale, step.shape
        # With the strides of `x` also where a dimension is 1: convolutions take their layout from
        # those of the weights.
        return torch.mul(levels, step, out=torch.empty_like(x))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None, None]:
        quotient, levels, ratio, first = ctx.saved_tensors
        # Half a step beyond the last level nothing is clipped yet.
        inner = _inside(gradients[0], quotient, *ctx.ends)
        # Inside: level - x / step; where clipped, the end that it is clipped to.
        of_step = (
            gradients[0]
            .mul(levels)
            .addcmul_(inner, quotient, value=-1.0)
            .sum_to_size(ctx.shape)
            .view(-1)
        )
        return (
            inner,
            _above(of_step.mul_(first).mul_(ctx.scale), ratio, SMALLEST_RATIO),
            None,
            None,
            None,
            None,
        )


class _LearnedStep(torch.autograd.Function):
    """The same for one step: plain numbers and sums of products, which read a tensor once."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        learnt: Tensor,
        step: float,
        low: float,
        high: float,
        slope: float,
        rectified: bool,
    ) -> Tensor:
        rounded = x.div(step).round_().clamp_(low, high).mul_(step)
        ctx.save_for_backward(x, rounded, learnt)
        ctx.inside = 0.0 if rectified else (low - 0.5) * step, (high + 0.5) * step
        ctx.factor = slope / step
        return rounded

    @staticmethod
    def backward(
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None, None, None]:
        x, rounded, learnt = ctx.saved_tensors
        inner = _inside(gradients[0], x, *ctx.inside)
        of_step = _product(gradients[0], rounded) - _product(inner, x)
        return inner, torch.full_like(learnt, of_step * ctx.factor), None, None, None, None, None


# The gradient where `x` lies between two ends, or above one, and 0 elsewhere.
_inside = torch.ops.aten.hardtanh_backward.default
_above = torch.ops.aten.threshold_backward.default


def _product(a: Tensor, b: Tensor) -> float:
    """The sum of products of two tensors, without the tensor of products where they lie in memory
    alike.
    """
    dense = a.is_contiguous() or a.is_contiguous(memory_format=torch.channels_last)
    if not dense or a.stride() != b.stride():
        return a.mul(b).sum().item()
    flat = (a.numel(),), (1,)
    return torch.dot(a.as_strided(*flat), b.as_strided(*flat)).item()


def learned_step(
    x: Tensor,
    learnt: Tensor,
    step: float,
    low: float,
    high: float,
    slope: float,
    rectified: bool = False,
) -> Tensor:
    """`x` at the nearest of the levels `low` … `high` times a positive step; `learnt` gets the
    step's gradient times `slope`.

    LSQ (Esser et al., 2020): the gradient of the step is level - x / step inside the clip, and the
    level outside. The step is a number that follows from `learnt`, which has one element: what
    leads from one to the other is no part of the graph, because on small tensors it would cost more
    than the rounding. Rectified, which needs no level below 0, the gradient of `x` stops at zero as
    behind a ReLU.
    """
    rounded: Tensor = _LearnedStep.apply(x, learnt, step, low, high, slope, rectified)  # type: ignore[no-untyped-call]
    return rounded


def learned_steps(
    x: Tensor, ratio: Tensor, first: Tensor, low: float, high: float, scale: float
) -> Tensor:
    """The same with a step for each channel or for all, `first` times a learnt `ratio`, whose
    gradient is times `scale`.

    Both are [out] or [1]. A ratio below the smallest one counts as that, and has no gradient.
    """
    rounded: Tensor = _LearnedSteps.apply(x, ratio, first, low, high, scale)  # type: ignore[no-untyped-call]
    return rounded


class _LearnedClip(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        learnt: Tensor,
        scale: float,
        zero: int,
        top: int,
        slopes: tuple[float, ...],
        rectified: bool,
    ) -> Tensor:
        ctx.save_for_backward(x)
        # Half a step beyond the last levels, which lie within half a step of the ends of the range.
        ctx.ends = 0.0 if rectified else (-zero - 0.5) * scale, (top - zero + 0.5) * scale
        ctx.slopes, ctx.like = slopes, learnt.dtype
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
    learnt: Tensor,
    scale: float,
    zero: int,
    top: int,
    slopes: tuple[float, ...],
    rectified: bool,
) -> Tensor:
    """`x` at the nearest of scale · (0 - zero) … scale · (top - zero); what is clipped gives its
    gradient to that end.

    `learnt`, [1] or [2], gets the gradients of the high end and of the low end times `slopes`.
    Rectified, the gradient of `x` stops at zero as behind a ReLU. PACT (Choi et al., 2018), which
    has the high end only, with a low end for tensors that have negative values.
    """
    rounded: Tensor = _LearnedClip.apply(x, learnt, scale, zero, top, slopes, rectified)  # type: ignore[no-untyped-call]
    return rounded
