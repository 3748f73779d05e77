"""The tensors between the operations of a program."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, prod

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
"""[F], [C, L] or [C, H, W] of one sample, without the batch."""

ChannelMask = NDArray[np.bool_]
"""One truth value for each channel of an image or a signal, or each feature of a vector."""


class ProgramError(ValueError):
    """An invalid program: the operation, the requirement, and what was found."""


def require(kept: bool, message: str) -> None:
    """Raises a ProgramError unless the requirement is kept."""
    if not kept:
        raise ProgramError(message)


@dataclass(frozen=True)
class TensorType:
    """Unsigned integers q of `bits` bits, each of which stands for `scale` · (q - `zero`).

    Raises:
        ProgramError: if shape, scale, zero point or bits are out of range.
    """

    shape: Shape
    scale: float
    zero: int
    bits: int = 8

    def __post_init__(self) -> None:
        require(
            1 <= len(self.shape) <= 3 and min(self.shape) >= 1,
            f"a tensor must be [F], [C, L] or [C, H, W], but got {self.shape}",
        )
        require(1 <= self.bits <= 8, f"a tensor must have 1 to 8 bits, but got {self.bits}")
        require(
            0.0 < self.scale < inf, f"a scale must be positive and finite, but got {self.scale}"
        )
        require(
            0 <= self.zero <= self.top,
            f"a zero point must lie in 0 … {self.top}, but got {self.zero}",
        )

    @property
    def top(self) -> int:
        """The largest integer of the tensor."""
        return int(2**self.bits - 1)

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """What the elements take if they are packed at their bits."""
        return (self.size * self.bits + 7) // 8


@dataclass(frozen=True)
class Signature:
    """The types of the tensors that an operation reads, and of its result."""

    sources: Sequence[TensorType]
    result: TensorType

    @property
    def source(self) -> TensorType:
        """The type of the first source, which is the only one of most operations."""
        return self.sources[0]
