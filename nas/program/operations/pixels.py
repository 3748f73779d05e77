"""Operations that repeat, pad, slice and spread the pixels of images, and compute nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.program.operations.operation import Kernel, SameScale, image
from nas.program.operations.windows import Pair
from nas.program.tensors import Shape, Signature, require

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Pad", "Slice", "Spread", "Upsample"]

MAX_MARGIN = 2**16 - 1


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
            min(self.factors) >= 1 and max(self.factors) <= MAX_MARGIN,
            f"factors must lie in 1 … {MAX_MARGIN}, but are {list(self.factors)}",
        )
        require(
            min(self.ends) >= 0 and max(self.ends) <= MAX_MARGIN,
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
