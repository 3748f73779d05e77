"""Joins: operations on several tensors."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nas.program.operations.operation import Kernel, Requantized, keep_together
from nas.program.tensors import ChannelMask, Shape, Signature, require

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Add", "Concat", "Join", "Mul"]


@dataclass(frozen=True, eq=False)
class Join(Requantized):
    """An operation on several tensors."""

    arity: ClassVar[tuple[int, int]] = (2, 64)

    def dead_channels(self, dead: Sequence[ChannelMask], signature: Signature) -> ChannelMask:
        """The channels computed from dead ones alone, unless the clamp moves the zero point."""
        return self._joined(dead) & self.scaling.passes(signature.result.zero)

    @abstractmethod
    def _joined(self, dead: Sequence[ChannelMask]) -> ChannelMask:
        """The channels of the result that are 0 for every input where those of the sources are."""


@dataclass(frozen=True, eq=False)
class Add(Join):
    """The sum of tensors of one shape, each with a multiplier of its own."""

    def _multiplier_count(self) -> int:
        return len(self.inputs)

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """That of each summand."""
        require(len(set(shapes)) == 1, f"summands must have one shape, but have {list(shapes)}")
        return shapes[0]

    def compiled(self, signature: Signature) -> Kernel:
        """Sums in 64-bit floats, each summand in steps of the result."""
        first, *others = self.scaling.factors.tolist()
        unit = 0.5**self.scaling.shift

        def run(x: "Tensor", *summands: "Tensor") -> "Tensor":
            total = x.double() * first
            for summand, factor in zip(summands, others, strict=True):
                total += summand * factor
            return self._clamped(total.add_(0.5), signature.result, unit)

        return run

    def _joined(self, dead: Sequence[ChannelMask]) -> ChannelMask:
        found: ChannelMask = np.logical_and.reduce(dead)
        return found


@dataclass(frozen=True, eq=False)
class Mul(Join):
    """The product of two tensors; the second one may be a gate [C, 1, 1] for [C, H, W]."""

    arity: ClassVar[tuple[int, int]] = (2, 2)

    def _multiplier_count(self) -> int:
        return 1

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """That of the first factor."""
        first, second = shapes
        gate = first[:1] + (1,) * (len(first) - 1)
        require(
            second in (first, gate),
            f"a factor of {first} must be {first} or {gate}, but is {second}",
        )
        return first

    def compiled(self, signature: Signature) -> Kernel:
        """Products in 64-bit floats."""
        (factor,) = self.scaling.factors.tolist()

        def run(x: "Tensor", y: "Tensor") -> "Tensor":
            scaled = (x.double() * y).mul_(factor).add_(0.5)
            return self._clamped(scaled, signature.result, factor)

        return run

    def _joined(self, dead: Sequence[ChannelMask]) -> ChannelMask:
        found: ChannelMask = np.logical_or.reduce(dead)
        return found


@dataclass(frozen=True, eq=False)
class Concat(Join):
    """Tensors one after the other along their first dimension, each with a multiplier of its own."""

    def _multiplier_count(self) -> int:
        return len(self.inputs)

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """The channels of all sources."""
        require(
            len({shape[1:] for shape in shapes}) == 1,
            f"all but the first dimension must be the same, but are {list(shapes)}",
        )
        return sum(shape[0] for shape in shapes), *shapes[0][1:]

    def compiled(self, signature: Signature) -> Kernel:
        """Each part in steps of the result, in 64-bit floats."""
        import torch

        factors = self.scaling.factors.tolist()

        def run(*parts: "Tensor") -> "Tensor":
            scaled = [part.double() * factor for part, factor in zip(parts, factors, strict=True)]
            return self._clamped(torch.cat(scaled, 1).add_(0.5), signature.result)

        return run

    def _joined(self, dead: Sequence[ChannelMask]) -> ChannelMask:
        return np.concatenate(dead)

    def keep_tied(self, sources: Sequence[ChannelMask], result: ChannelMask) -> None:
        """Each source is tied to its own part of the result."""
        start = 0
        for source in sources:
            keep_together(source, result[start : start + len(source)])
            start += len(source)
