"""Operations that select and reshape, and compute nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from nas.program.operations.operation import Kernel, SameScale, keep_together
from nas.program.tensors import ChannelMask, Shape, Signature, require

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Flatten", "Gather", "Reshape"]


@dataclass(frozen=True, eq=False)
class Gather(SameScale):
    """The entries of the first dimension with these indices, int32, in their order."""

    indices: NDArray[np.int32]

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """As many channels as there are indices."""
        (first,) = shapes
        require(
            self.indices.ndim == 1 and self.indices.dtype == np.int32 and len(self.indices) > 0,
            "indices must be a vector of int32",
        )
        require(
            int(self.indices.min()) >= 0 and int(self.indices.max()) < first[0],
            f"indices must lie in 0 … {first[0] - 1}",
        )
        return len(self.indices), *first[1:]

    def compiled(self, signature: Signature) -> Kernel:
        """An index along the channels."""
        import torch

        indices = torch.as_tensor(self.indices).long()

        def run(x: "Tensor") -> "Tensor":
            return x[:, indices]

        return run

    def dead_channels(self, dead: Sequence[ChannelMask], signature: Signature) -> ChannelMask:
        """Copies of dead channels."""
        return dead[0][self.indices]

    def keep_tied(self, sources: Sequence[ChannelMask], result: ChannelMask) -> None:
        """All channels stay, because indices count them."""
        for mask in (*sources, result):
            mask[:] = True


@dataclass(frozen=True, eq=False)
class Flatten(SameScale):
    """[C, H, W] as [C · H · W]."""

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """[F]."""
        return (prod(shapes[0]),)

    def compiled(self, signature: Signature) -> Kernel:
        """A view."""

        def run(x: "Tensor") -> "Tensor":
            return x.flatten(1)

        return run

    def dead_channels(self, dead: Sequence[ChannelMask], signature: Signature) -> ChannelMask:
        """All elements of dead channels."""
        return dead[0].repeat(signature.result.size // len(dead[0]))


@dataclass(frozen=True, eq=False)
class Reshape(SameScale):
    """The same integers in the same order as a tensor of another `shape`: [F], [C, L] or [C, H, W]."""

    shape: Shape

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """`shape`."""
        require(
            1 <= len(self.shape) <= 3 and prod(self.shape) == prod(shapes[0]),
            f"a shape must have 1 to 3 dimensions and the elements of {shapes[0]}, but is {self.shape}",
        )
        return self.shape

    def compiled(self, signature: Signature) -> Kernel:
        """A view."""

        def run(x: "Tensor") -> "Tensor":
            return x.reshape(len(x), *self.shape)

        return run

    def dead_channels(self, dead: Sequence[ChannelMask], signature: Signature) -> ChannelMask:
        """The channels of which all elements are those of dead ones."""
        elements = dead[0].repeat(signature.source.size // len(dead[0]))
        return np.asarray(elements.reshape(self.shape[0], -1).all(1), np.bool_)

    def keep_tied(self, sources: Sequence[ChannelMask], result: ChannelMask) -> None:
        """Channels are tied one by one; all stay where the result has another number of them."""
        (source,) = sources
        if len(source) == len(result):
            keep_together(source, result)
        else:
            source[:] = result[:] = True

    def narrowed(self, source: ChannelMask, result: ChannelMask) -> Self:
        """The shape of the channels that are left."""
        return replace(self, shape=(int(result.sum()), *self.shape[1:]))
