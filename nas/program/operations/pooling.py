"""Poolings of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.program.operations.operation import Kernel, Operation, Requantized, SameScale, image
from nas.program.operations.windows import Window
from nas.program.tensors import ChannelMask, Shape, Signature

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["AvgPool", "MaxPool", "Pool"]


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

        rows, columns = self.padding
        return pad(x, (columns, columns, rows, rows), value=value)


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
            return self._clamped((sums * factor).add_(0.5), signature.result)

        return run

    def dead_channels(self, dead: Sequence[ChannelMask], signature: Signature) -> ChannelMask:
        """The dead channels of the source, unless the clamp moves the zero point."""
        return dead[0] & self.scaling.passes(signature.result.zero)
