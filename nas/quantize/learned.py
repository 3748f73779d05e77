"""Rounding with what is learnt beside the network: steps and clips, with their gradients."""

import math
from typing import Any

import torch
from torch import Tensor


def gradient_scale(count: int, top: int) -> float:
    """1 / √(N · Q): makes the gradient of a step as large, for its size, as those of weights (Esser et al., 2020)."""
    return 1.0 / math.sqrt(count * top)


def first_step(magnitude: Tensor, top: int) -> Tensor:
    """The step to begin with, for values of this mean magnitude: 2 · mean / √Q (Esser et al., 2020)."""
    return 2.0 * magnitude / math.sqrt(top)


class _LearnedStep(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, low: float, high: float, scale: float) -> Tensor:
        ratio = x.div(step)
        levels = ratio.round().clamp_(low, high)
        ctx.save_for_backward(ratio, levels, step)
        ctx.low, ctx.high, ctx.scale = low, high, scale
        # With the strides of `x` also where a dimension is 1: convolutions take their layout from those of the weights.
        return torch.mul(levels, step, out=torch.empty_like(x))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        ratio, levels, step = ctx.saved_tensors
        # Half a step beyond the last level nothing is clipped yet.
        inner = torch.ops.aten.hardtanh_backward(gradients[0], ratio, ctx.low - 0.5, ctx.high + 0.5)
        # Inside: level - x / step; where clipped, the end that it is clipped to.
        of_step = (gradients[0] * levels).sub_(inner * ratio)
        return inner, of_step.sum_to_size(step.shape).mul(ctx.scale), None, None, None


class _LearnedScale(torch.autograd.Function):
    """The same for one step: plain numbers and sums of products, which read a tensor once."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, low: float, high: float, scale: float, rectified: bool) -> Tensor:
        size = step.item()
        rounded = x.div(size).round_().clamp_(low, high).mul_(size)
        ctx.save_for_backward(x, rounded)
        ctx.inside = 0.0 if rectified else (low - 0.5) * size, (high + 0.5) * size
        ctx.factor = scale / size
        return rounded

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None, None]:
        x, rounded = ctx.saved_tensors
        inner = torch.ops.aten.hardtanh_backward(gradients[0], x, *ctx.inside)
        of_step = (_product(gradients[0], rounded) - _product(inner, x)) * ctx.factor
        return inner, of_step, None, None, None, None


def _product(a: Tensor, b: Tensor) -> Tensor:
    """The sum of products of two tensors, without the tensor of products where they lie in memory alike."""
    if a.ndim == 4 and all(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in (a, b)):
        a, b = a.permute(0, 2, 3, 1), b.permute(0, 2, 3, 1)
    return torch.dot(a.reshape(-1), b.reshape(-1))


def learned_step(x: Tensor, step: Tensor, low: float, high: float, scale: float, rectified: bool = False) -> Tensor:
    """`x` at the nearest of the levels `low` … `high` times a positive step that broadcasts, whose gradient is times `scale`.

    LSQ (Esser et al., 2020): the gradient of the step is level - x / step inside the clip, and the level outside. Rectified,
    which needs a single step and no level below 0, the gradient of `x` stops at zero as behind a ReLU.
    """
    rounded: Tensor
    if step.ndim == 0:
        rounded = _LearnedScale.apply(x, step, low, high, scale, rectified)  # type: ignore[no-untyped-call]
    else:
        rounded = _LearnedStep.apply(x, step, low, high, scale)  # type: ignore[no-untyped-call]
    return rounded


class _LearnedClip(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        low: Tensor,  # noqa: ARG004 - they are what the scale and the zero point were made of
        high: Tensor,  # noqa: ARG004
        scale: float,
        zero: int,
        top: int,
        rectified: bool,
    ) -> Tensor:
        # Half a step beyond the last levels, which lie within half a step of `low` and `high`.
        ctx.ends = 0.0 if rectified else (-zero - 0.5) * scale, (top - zero + 0.5) * scale
        ctx.save_for_backward(x)
        return x.div(scale).round_().clamp_(-zero, top - zero).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, Tensor, None, None, None, None]:
        (x,) = ctx.saved_tensors
        inner = torch.ops.aten.hardtanh_backward(gradients[0], x, *ctx.ends)
        of_high = torch.ops.aten.threshold_backward(gradients[0], x, ctx.ends[1]).sum()
        # Negated, what lies below the low end lies above.
        of_low = torch.ops.aten.threshold_backward(gradients[0], -x, -ctx.ends[0]).sum() if ctx.needs_input_grad[1] else None
        return inner, of_low, of_high, None, None, None, None


def learned_clip(x: Tensor, low: Tensor, high: Tensor, scale: float, zero: int, top: int, rectified: bool) -> Tensor:
    """`x` at the nearest of scale · (0 - zero) … scale · (top - zero); what is clipped gives its gradient to that end.

    Rectified, the gradient stops at zero as behind a ReLU. PACT (Choi et al., 2018), which has the high end
    only, with a low end for tensors that have negative values.
    """
    rounded: Tensor = _LearnedClip.apply(x, low, high, scale, zero, top, rectified)  # type: ignore[no-untyped-call]
    return rounded
