"""Rounding of activations on a GPU, by ranges that stay there.

On a CPU, ranges are Python's numbers, because kernels that read a tensor once are faster. A GPU would be
waited for at each of them, and a training step that reads numbers cannot be recorded. The arithmetic of
ranges is the same in both, so that a network has the same levels wherever it runs.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Levels:
    """The levels -`zero` … `top` - `zero` times `scale`: two scalars in float32, of which `zero` is an
    integer.
    """

    scale: Tensor
    zero: Tensor
    top: int

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """Half a step beyond the first and the last level."""
        return (-self.zero - 0.5) * self.scale, (self.top - self.zero + 0.5) * self.scale

    def nearest_(self, x: Tensor) -> Tensor:
        """Rounds `x` in place to the nearest level."""
        x.div_(self.scale).round_()
        return torch.clamp(x, -self.zero, self.top - self.zero, out=x).mul_(self.scale)


def precise(x: Tensor) -> Tensor:
    """In the floats in which ranges are computed: of 64 bits, as Python's, where a GPU has them."""
    return x.detach().float() if x.device.type == "mps" else x.detach().double()


def levels_of(low: Tensor, high: Tensor, top: int, smallest_scale: float) -> Levels:
    """The levels of a range from `low`, at most 0, to `high`, at least 0, in `precise` floats."""
    scale = ((high - low) / top).clamp_min(smallest_scale).float()
    zero = (-low / scale).round().clamp_max(top).float()
    return Levels(scale, zero, top)


class _Nearest(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, levels: Levels, rectified: bool) -> Tensor:
        steps = x.div(levels.scale).round_()
        rounded = torch.clamp(steps, -levels.zero, levels.top - levels.zero)
        inside = steps == rounded
        ctx.save_for_backward(inside & (x > 0) if rectified else inside)
        return rounded.mul_(levels.scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside, None, None


def nearest_level(x: Tensor, levels: Levels, rectified: bool) -> Tensor:
    """`x` at the nearest of the levels; clipped elements have no gradient, nor, if `rectified`, those up
    to zero.
    """
    rounded: Tensor = _Nearest.apply(x, levels, rectified)  # type: ignore[no-untyped-call]
    return rounded


def learned_clip(x: Tensor, low: Tensor, high: Tensor, levels: Levels, rectified: bool) -> Tensor:
    """`x` at the nearest of the levels of a range whose ends have gradients: the sums of those of the
    elements that are clipped there (PACT, Choi et al., 2018).
    """
    first, last = levels.ends
    # The ends of the range are within half a step of these.
    first, last = first + (low - low.detach()), last + (high - high.detach())
    clipped = torch.minimum(x.relu(), last) if rectified else torch.clamp(x, first, last)
    levels.nearest_(clipped.detach())
    return clipped
