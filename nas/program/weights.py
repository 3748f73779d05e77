"""The weights of a layer as integers."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nas.program.tensors import ChannelMask, Shape, require
from nas.program.zero_points import unwrapped


@dataclass(frozen=True, eq=False)
class IntegerWeights:
    """Weights int8 [out, …] of `bits` bits.

    Without `zero_points`, uint8 [out], a weight is the level that is multiplied and summed; with
    them, nas.program.zero_points says which level it stands for. A weight of 0 is a level of 0 in
    both cases. `entries` is the size of the codebook that the layer was made with, None where only
    `bits` bounds the number of different weights. `kept` is the mask of a pruned layer: where it is
    False, weights are 0. Packed files store neither of the last two.
    """

    values: NDArray[np.int8]
    bits: int
    zero_points: NDArray[np.uint8] | None = None
    entries: int | None = None
    kept: NDArray[np.bool_] | None = None

    @property
    def shape(self) -> Shape:
        """The shape of the weights, [out, …]."""
        return self.values.shape

    @property
    def size(self) -> int:
        """The number of weights."""
        return self.values.size

    @property
    def levels(self) -> NDArray[np.int16]:
        """The integers that are multiplied and summed, [out, …]."""
        return (
            self.values.astype(np.int16)
            if self.zero_points is None
            else unwrapped(self.values, self.bits, self.zero_points)
        )

    @property
    def level_bits(self) -> int:
        """The bits of a level in two's complement."""
        return self.bits if self.zero_points is None else self.bits + 1

    @property
    def can_be_zero(self) -> bool:
        """Whether 0 is among the values that a weight may take."""
        return self.bits > 1 and (self.entries is None or not self.values.all())

    def check(self) -> None:
        """Refuses weights that their bits, zero points or codebook cannot represent.

        Raises:
            ProgramError: with the requirement and what was found.
        """
        require(1 <= self.bits <= 8, f"weights must have 1 to 8 bits, but have {self.bits}")
        require(self.values.dtype == np.int8, f"weights must be int8, but are {self.values.dtype}")
        top = 1 if self.bits == 1 else 2 ** (self.bits - 1) - 1
        low = -top if self.zero_points is None else -top - 1
        fits = low <= int(self.values.min()) and int(self.values.max()) <= top
        require(fits, f"weights must lie in {low} … {top}")
        if self.zero_points is not None:
            self._check_zero_points(self.zero_points)
        if self.entries is not None:
            found = len(np.unique(self.values))
            require(
                found <= self.entries,
                f"weights must take at most {self.entries} values, but take {found}",
            )
        require(self.bits > 1 or bool(self.values.all()), "weights of one bit must be -1 or 1")

    def _check_zero_points(self, zero_points: NDArray[np.uint8]) -> None:
        require(self.bits > 1, "weights with zero points must have 2 to 8 bits, but have 1")
        require(
            zero_points.shape == self.shape[:1] and zero_points.dtype == np.uint8,
            "zero points of weights must be uint8, one for each channel",
        )
        top, found = 2**self.bits - 1, int(zero_points.max())
        require(
            found <= top,
            f"zero points of weights of {self.bits} bits must lie in 0 … {top}, but one is {found}",
        )

    def equals(self, other: "IntegerWeights") -> bool:
        """Whether the weights and the levels that they stand for are the same."""
        if self.zero_points is None or other.zero_points is None:
            same = self.zero_points is other.zero_points
        else:
            same = np.array_equal(self.zero_points, other.zero_points)
        return self.bits == other.bits and same and np.array_equal(self.values, other.values)

    def with_rows(self) -> "IntegerWeights":
        """The same weights of signals, [out, in, k], as weights of images of one row, [out, in, 1, k]."""
        kept = None if self.kept is None else self.kept[:, :, np.newaxis]
        return replace(self, values=self.values[:, :, np.newaxis], kept=kept)

    def cleared(self, channels: ChannelMask) -> "IntegerWeights":
        """The same weights, but 0 in the given output channels, [out]."""
        if not channels.any():
            return self
        rows = channels.reshape(-1, *[1] * (self.values.ndim - 1))
        return replace(self, values=np.where(rows, np.int8(0), self.values))

    def take(self, outputs: ChannelMask, inputs: ChannelMask | None = None) -> "IntegerWeights":
        """The weights of the given output channels, [out], and input channels, [in], or all."""
        columns = slice(None) if inputs is None else inputs
        return replace(
            self,
            values=self.values[outputs][:, columns],
            zero_points=None if self.zero_points is None else self.zero_points[outputs],
            kept=None if self.kept is None else self.kept[outputs][:, columns],
        )
