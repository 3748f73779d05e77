"""The windows that convolutions and poolings slide over images."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.program.tensors import require

Pair = tuple[int, int]
"""Along the height and the width of an image."""


@dataclass(frozen=True)
class Window:
    """Where windows begin, and which pixels of an image, and of the padding around it, each has."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair = (1, 1)

    def counts(self, size: Sequence[int]) -> Pair:
        """How many windows an image of this height and width has in both directions.

        Raises:
            ProgramError: if a number is out of range, or a window could lie in the padding alone.
        """
        require(
            min(*self.kernel, *self.stride, *self.dilation) >= 1 and min(self.padding) >= 0,
            "kernel, stride and dilation must be positive",
        )
        spans = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        rows, columns = (
            (n + 2 * p - span) // s + 1
            for n, p, span, s in zip(size, self.padding, spans, self.stride, strict=True)
        )
        # A window in the padding alone would be the mean, or the maximum, of nothing.
        require(
            min(rows, columns) >= 1
            and all(p < span for p, span in zip(self.padding, spans, strict=True)),
            f"windows {self.kernel} must fit {list(size)}",
        )
        return rows, columns
