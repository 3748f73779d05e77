"""Operations that move integers and compute nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from nas.program.operations.operation import Kernel, SameScale, image, keep_together
from nas.program.operations.windows import Pair
from nas.program.tensors import ChannelMask, Shape, Signature, require

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Flatten", "Gather", "Pad", "Reshape", "Slice", "Spread", "Upsample"]

MAX_MARGIN = 2**16 - 1


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

        indices = torch.from_numpy(self.indices).long()

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


@dataclass(frozen=True, eq=False)
class Upsample(SameScale):
    """Each pixel repeated `factor` times in both directions."""

    factor: int

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """[C, H · factor, W · factor]."""
        require(1 <= self.factor <= 64, f"a factor must lie in 1 … 64, but is {self.factor}")
        channels, height, width = image(shapes[0])
        return channels, height * self.factor, width * self.factor

    def compiled(self, signature: Signature) -> Kernel:
        """Rows repeated, then columns."""

        def run(x: "Tensor") -> "Tensor":
            return x.repeat_interleave(self.factor, 2).repeat_interleave(self.factor, 3)

        return run


@dataclass(frozen=True, eq=False)
class Pad(SameScale):
    """An image with margins of zeros: so many `rows` above and below, `columns` left and right."""

    rows: Pair
    columns: Pair

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """[C, top + H + bottom, left + W + right]."""
        margins = *self.rows, *self.columns
        require(
            min(margins) >= 0 and max(margins) <= MAX_MARGIN,
            f"margins must lie in 0 … {MAX_MARGIN}, but are {list(margins)}",
        )
        channels, height, width = image(shapes[0])
        return channels, height + sum(self.rows), width + sum(self.columns)

    def compiled(self, signature: Signature) -> Kernel:
        """Zeros, which are the integers less the zero point."""
        from torch.nn.functional import pad

        def run(x: "Tensor") -> "Tensor":
            return pad(x, (*self.columns, *self.rows))

        return run


@dataclass(frozen=True, eq=False)
class Slice(SameScale):
    """The pixels of an image from `starts` on in steps of `steps`, `counts` rows and columns of them."""

    starts: Pair
    steps: Pair
    counts: Pair

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """[C, rows, columns]."""
        channels, *size = image(shapes[0])
        require(
            min(self.starts) >= 0 and min(*self.steps, *self.counts) >= 1,
            "starts must be 0 or more, and steps and counts positive, but are "
            f"{list(self.starts)}, {list(self.steps)} and {list(self.counts)}",
        )
        last = [
            start + (count - 1) * step
            for start, step, count in zip(self.starts, self.steps, self.counts, strict=True)
        ]
        require(
            last[0] < size[0] and last[1] < size[1],
            f"the last row and column must lie in {size}, but are {last}",
        )
        return channels, *self.counts

    def compiled(self, signature: Signature) -> Kernel:
        """A view."""
        rows, columns = (
            slice(start, start + (count - 1) * step + 1, step)
            for start, step, count in zip(self.starts, self.steps, self.counts, strict=True)
        )

        def run(x: "Tensor") -> "Tensor":
            return x[:, :, rows, columns]

        return run


@dataclass(frozen=True, eq=False)
class Spread(SameScale):
    """An image with `factors` - 1 rows, and columns, of zeros between neighbours, and `ends` more
    behind the last: what a transposed convolution convolves.
    """

    factors: Pair
    ends: Pair

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """[C, (H - 1) · factor + 1 + end, (W - 1) · factor + 1 + end]."""
        require(
            1 <= min(self.factors) and max(self.factors) <= MAX_MARGIN,
            f"factors must lie in 1 … {MAX_MARGIN}, but are {list(self.factors)}",
        )
        require(
            0 <= min(self.ends) and max(self.ends) <= MAX_MARGIN,
            f"ends must lie in 0 … {MAX_MARGIN}, but are {list(self.ends)}",
        )
        channels, height, width = image(shapes[0])
        rows, columns = (
            (count - 1) * factor + 1 + end
            for count, factor, end in zip((height, width), self.factors, self.ends, strict=True)
        )
        return channels, rows, columns

    def compiled(self, signature: Signature) -> Kernel:
        """Zeros, which are the integers less the zero point, with pixels among them."""
        height, width = signature.result.shape[1:]
        rows, columns = (
            slice(0, count - end, factor)
            for count, factor, end in zip((height, width), self.factors, self.ends, strict=True)
        )

        def run(x: "Tensor") -> "Tensor":
            spread = x.new_zeros(*x.shape[:2], height, width)
            spread[:, :, rows, columns] = x
            return spread

        return run
