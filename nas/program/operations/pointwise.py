"""Functions of one integer at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from nas.program.operations.operation import Kernel, Operation, Requantized
from nas.program.scaling import MAX_MULTIPLIER
from nas.program.tensors import ChannelMask, Shape, Signature, require

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Lut", "PRelu"]


@dataclass(frozen=True, eq=False)
class Lut(Operation):
    """Any function of one integer as a table, uint8: entry q is the result for q."""

    table: NDArray[np.uint8]

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """That of the source."""
        return shapes[0]

    def _check_values(self, signature: Signature) -> None:
        levels, top = 2**signature.source.bits, signature.result.top
        require(
            self.table.shape == (levels,) and self.table.dtype == np.uint8,
            f"a table must be uint8 [{levels}]",
        )
        require(int(self.table.max()) <= top, f"a table must hold at most {top}")

    def compiled(self, signature: Signature) -> Kernel:
        """A look-up."""
        import torch

        table = torch.as_tensor(self.table.astype(np.float32)) - signature.result.zero
        zero = signature.source.zero

        def run(x: "Tensor") -> "Tensor":
            return table[(x + zero).long()]

        return run

    def dead_channels(self, dead: Sequence[ChannelMask], signature: Signature) -> ChannelMask:
        """The dead channels of the source, if the function is 0 at 0."""
        at_zero = int(self.table[signature.source.zero])
        return dead[0] & (at_zero == signature.result.zero)


@dataclass(frozen=True, eq=False)
class PRelu(Requantized):
    """A rectifier with a slope for each channel (He et al., 2015): q - zero is multiplied by the
    multiplier where it is positive, and by the channel's slope, int32 [C], where it is negative.

    Slopes have a sign, are at most as large as a multiplier, and share its shift.
    """

    slopes: NDArray[np.int32]

    @property
    def slope_factors(self) -> NDArray[np.float64]:
        """The slopes as real numbers, [C]."""
        return self.slopes.astype(np.float64) * 0.5**self.scaling.shift

    def _multiplier_count(self) -> int:
        return 1

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """That of the source."""
        return shapes[0]

    def _check_values(self, signature: Signature) -> None:
        super()._check_values(signature)
        require(bool(self.scaling.multipliers.all()), "its multiplier must be 1 or more, but is 0")
        channels = signature.source.shape[:1]
        require(
            self.slopes.shape == channels and self.slopes.dtype == np.int32,
            f"slopes must be int32 {list(channels)}",
        )
        low, high = int(self.slopes.min()), int(self.slopes.max())
        require(
            max(-low, high) <= MAX_MULTIPLIER,
            f"slopes must lie in -{MAX_MULTIPLIER} … {MAX_MULTIPLIER}, but lie in {low} … {high}",
        )

    def compiled(self, signature: Signature) -> Kernel:
        """Products in 64-bit floats, one of which is 0."""
        import torch

        (factor,) = self.scaling.factors.tolist()
        channels = (-1, *[1] * (len(signature.result.shape) - 1))
        slopes = torch.as_tensor(self.slope_factors).view(channels)

        def run(x: "Tensor") -> "Tensor":
            positive, negative = x.double().clamp(min=0), x.double().clamp(max=0)
            scaled = (positive * factor).add_(negative * slopes)
            return self._clamped(scaled.add_(0.5), signature.result)

        return run

    def dead_channels(self, dead: Sequence[ChannelMask], signature: Signature) -> ChannelMask:
        """The dead channels of the source, unless the clamp moves the zero point."""
        return dead[0] & self.scaling.passes(signature.result.zero)

    def narrowed(self, source: ChannelMask, result: ChannelMask) -> Self:
        """The slopes of the channels that are left."""
        return replace(self, slopes=self.slopes[result])
