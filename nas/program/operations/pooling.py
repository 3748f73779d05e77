"""Poolings of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.program.operations.operation import Kernel, Operation, Requantized, SameScale, image
from nas.program.operations.windows import Pair, Window
from nas.program.tensors import ChannelMask, Shape, Signature, require

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["AvgPool", "EdgeAvgPool", "EdgeMaxPool", "MaxPool", "Pool"]


@dataclass(frozen=True, eq=False)
class Pool(Operation):
    """One number for each window of each channel."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    @property
    def window(self) -> Window:
        """The pixels that each element of the result is computed from."""
        return Window(self.kernel, self.stride, self.padding)

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """[C, H', W'], one element for each window."""
        channels, *size = image(shapes[0])
        return channels, *self.window.counts(size)

    def _padded(self, x: "Tensor", value: float) -> "Tensor":
        # torch's own pooling pads with half a window at most.
        from torch.nn.functional import pad

        (top, left), (bottom, right) = self.padding, self.window.ends
        return pad(x, (left, right, top, bottom), value=value)


@dataclass(frozen=True, eq=False)
class MaxPool(SameScale, Pool):
    """The largest element of each window; padding is never the largest."""

    def compiled(self, signature: Signature) -> Kernel:
        """Maxima in the float type of the source."""
        from torch.nn.functional import max_pool2d

        def run(x: "Tensor") -> "Tensor":
            return max_pool2d(self._padded(x, float("-inf")), self.kernel, self.stride)

        return run


@dataclass(frozen=True, eq=False)
class EdgeMaxPool(MaxPool):
    """A MaxPool whose last windows may reach `extra` pixels further than its padding, below and to
    the right.
    """

    extra: Pair

    @property
    def window(self) -> Window:
        """The pixels that each element of the result is computed from."""
        return Window(self.kernel, self.stride, self.padding, extra=self.extra)


@dataclass(frozen=True, eq=False)
class AvgPool(Requantized, Pool):
    """The mean of each window, padding counted as zeros; the multiplier also divides."""

    def _multiplier_count(self) -> int:
        return 1

    def compiled(self, signature: Signature) -> Kernel:
        """Sums in 64-bit floats."""
        from torch.nn.functional import avg_pool2d

        (factor,) = self.scaling.factors.tolist()

        def run(x: "Tensor") -> "Tensor":
            padded = self._padded(x.double(), 0.0)
            sums = avg_pool2d(padded, self.kernel, self.stride, divisor_override=1)
            return self._clamped((sums * factor).add_(0.5), signature.result, factor)

        return run

    def dead_channels(self, dead: Sequence[ChannelMask], signature: Signature) -> ChannelMask:
        """The dead channels of the source, unless the clamp moves the zero point."""
        return dead[0] & self.scaling.passes(signature.result.zero)


@dataclass(frozen=True, eq=False)
class EdgeAvgPool(AvgPool):
    """The mean of those pixels of each window that are in the image; the last windows may reach
    `extra` pixels further than the padding, below and to the right.

    There is a multiplier, which also divides, for each number of pixels that a window has, in
    ascending order.
    """

    extra: Pair

    @property
    def window(self) -> Window:
        """The pixels that each element of the result is computed from."""
        return Window(self.kernel, self.stride, self.padding, extra=self.extra)

    def pixels(self, shape: Shape) -> NDArray[np.int64]:
        """How many pixels of an image [C, H, W] each window has, [H', W']."""
        rows, columns = (
            np.minimum(begin + kernel, size) - np.maximum(begin, 0)
            for begin, kernel, size in zip(
                (
                    np.arange(count) * stride - padding
                    for count, stride, padding in zip(
                        self.window.counts(shape[1:]), self.stride, self.padding, strict=True
                    )
                ),
                self.kernel,
                shape[1:],
                strict=True,
            )
        )
        found: NDArray[np.int64] = np.multiply.outer(rows, columns)
        return found

    def window_factors(self, shape: Shape) -> NDArray[np.float64]:
        """What the sum of each window of an image [C, H, W] is multiplied by, [H', W']."""
        pixels = self.pixels(shape)
        return self.scaling.factors[np.searchsorted(np.unique(pixels), pixels)]

    def _check_values(self, signature: Signature) -> None:
        count = len(np.unique(self.pixels(signature.source.shape)))
        found = len(self.scaling.multipliers)
        require(found == count, f"it must have {count} multipliers, but has {found}")
        self._check_clamp(signature.result)

    def compiled(self, signature: Signature) -> Kernel:
        """Sums in 64-bit floats."""
        import torch
        from torch.nn.functional import avg_pool2d

        each = self.window_factors(signature.source.shape)
        factors = torch.as_tensor(each)

        def run(x: "Tensor") -> "Tensor":
            padded = self._padded(x.double(), 0.0)
            sums = avg_pool2d(padded, self.kernel, self.stride, divisor_override=1)
            return self._clamped((sums * factors).add_(0.5), signature.result, each)

        return run
