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
        return levels.mul(step)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        ratio, levels, step = ctx.saved_tensors
        # Half a step beyond the last level nothing is clipped yet.
        inner = torch.ops.aten.hardtanh_backward(gradients[0], ratio, ctx.low - 0.5, ctx.high + 0.5)
        # Inside: level - x / step; where clipped, the end that it is clipped to.
        of_step = (gradients[0] * levels).sub_(inner * ratio)
        return inner, of_step.sum_to_size(step.shape).mul(ctx.scale), None, None, None


def learned_step(x: Tensor, step: Tensor, low: float, high: float, scale: float) -> Tensor:
    """`x` at the nearest of the levels `low` … `high` times a positive step that broadcasts, whose gradient is times `scale`.

    LSQ (Esser et al., 2020): the gradient of the step is level - x / step inside the clip, and the level outside.
    """
    rounded: Tensor = _LearnedStep.apply(x, step, low, high, scale)  # type: ignore[no-untyped-call]
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
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None, None]:
        (x,) = ctx.saved_tensors
        of_low = gradients[0].mul(x < ctx.ends[0]).sum()
        of_high = gradients[0].mul(x > ctx.ends[1]).sum()
        return torch.ops.aten.hardtanh_backward(gradients[0], x, *ctx.ends), of_low, of_high, None, None, None, None


def learned_clip(x: Tensor, low: Tensor, high: Tensor, scale: float, zero: int, top: int, rectified: bool) -> Tensor:
    """`x` at the nearest of scale · (0 - zero) … scale · (top - zero); what is clipped gives its gradient to that end.

    Rectified, the gradient stops at zero as behind a ReLU. PACT (Choi et al., 2018), which has the high end
    only, with a low end for tensors that have negative values.
    """
    rounded: Tensor = _LearnedClip.apply(x, low, high, scale, zero, top, rectified)  # type: ignore[no-untyped-call]
    return rounded
