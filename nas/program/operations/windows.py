"""The windows that convolutions and poolings slide over images."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.program.tensors import require

Pair = tuple[int, int]
"""Along the height and the width of an image."""


@dataclass(frozen=True)
class Window:
    """Where windows begin, and which pixels of an image, and of the padding around it, each has.

    `extra` is how much further than the padding windows reach below and to the right.
    """

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair = (1, 1)
    extra: Pair = (0, 0)

    @property
    def ends(self) -> Pair:
        """The padding below and to the right."""
        first, second = (p + more for p, more in zip(self.padding, self.extra, strict=True))
        return first, second

    def counts(self, size: Sequence[int]) -> Pair:
        """How many windows an image of this height and width has in both directions.

        Raises:
            ProgramError: if a number is out of range, or a window could lie in the padding alone.
        """
        require(
            min(*self.kernel, *self.stride, *self.dilation) >= 1
            and min(*self.padding, *self.extra) >= 0,
            "kernel, stride and dilation must be positive",
        )
        spans = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        rows, columns = (
            (n + p + end - span) // s + 1
            for n, p, end, span, s in zip(
                size, self.padding, self.ends, spans, self.stride, strict=True
            )
        )
        # A window in the padding alone would be the mean, or the maximum, of nothing.
        require(
            min(rows, columns) >= 1
            and all(end < span for end, span in zip(self.ends, spans, strict=True)),
            f"windows {self.kernel} must fit {list(size)}",
        )
        return rows, columns
