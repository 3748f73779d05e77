"""The operations of the integer program, and the tensors between them.

Tensors hold unsigned integers q of `bits` bits that stand for scale · (q - zero). A sum of products
is brought to the scale of its result by a multiplier m of 16 bits and a shift s: q = zero +
floor((sum · m + 2^(s-1)) / 2^s), clamped. Weights of b bits have a bias that is finer than their
sum by k = max(0, 7 - max(b, 2)) bits: sum and shift are then 2^k · sum + bias and s + k. With zero
points, what is summed has a bit more, and k = max(0, 6 - b).
"""

from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from nas.program.zero_points import level_bits, unwrapped

Shape = tuple[int, ...]
Weights = NDArray[np.int8]
Levels = NDArray[np.int16]
ZeroPoints = NDArray[np.uint8]

MIN_SHIFT, MAX_SHIFT = 8, 47
MAX_MULTIPLIER = 2**16 - 1


class ProgramError(ValueError):
    """A program that means nothing: which operation, what it must be, what it is."""


def require(kept: bool, message: str) -> None:
    """Raises a ProgramError unless `kept`."""
    if not kept:
        raise ProgramError(message)


@dataclass(frozen=True)
class TensorType:
    """Shape of one sample, without the batch, and what its integers stand for."""

    shape: Shape
    scale: float
    zero: int
    bits: int = 8

    def __post_init__(self) -> None:
        require(
            len(self.shape) in (1, 3) and min(self.shape) >= 1,
            f"a tensor must be [F] or [C, H, W], but got {self.shape}",
        )
        require(1 <= self.bits <= 8, f"a tensor must have 1 to 8 bits, but got {self.bits}")
        require(
            0.0 < self.scale < float("inf"),
            f"a scale must be positive and finite, but got {self.scale}",
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


@dataclass(frozen=True, eq=False)
class Scaling:
    """How sums become integers of the result: one multiplier for each channel or source, one shift,
    and a clamp.
    """

    multipliers: NDArray[np.uint16]
    shift: int
    low: int
    high: int

    def __post_init__(self) -> None:
        require(
            self.multipliers.ndim == 1 and self.multipliers.dtype == np.uint16,
            "multipliers must be a vector of uint16",
        )
        require(
            MIN_SHIFT <= self.shift <= MAX_SHIFT,
            f"a shift must lie in {MIN_SHIFT} … {MAX_SHIFT}, but got {self.shift}",
        )
        require(
            0 <= self.low <= self.high <= 255,
            f"a clamp must lie in 0 … 255, but got {self.low} … {self.high}",
        )


@dataclass(frozen=True, eq=False)
class Operation:
    """One step; `name` is the layer it comes from, `inputs` the tensors that it reads."""

    name: str
    inputs: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Layer(Operation):
    """What has weights, [out, …] of `bits` bits, and int32 biases [out]; abstract.

    Weights are symmetric, or those of nas.program.zero_points where there are `zero_points`; a
    weight of 0 stands for 0 in both. `kept` is the mask of a layer that was pruned: where it is
    False, weights are 0. No file holds it. `entries` is how many different weights there are at
    most, by how the layer was made; None where only bits bound it.
    """

    weights: Weights
    bits: int
    biases: NDArray[np.int32]
    scaling: Scaling
    kept: NDArray[np.bool_] | None = field(default=None, kw_only=True)
    entries: int | None = field(default=None, kw_only=True)
    zero_points: ZeroPoints | None = field(default=None, kw_only=True)

    @property
    def levels(self) -> Levels:
        """The integers that weights stand for: what is multiplied and summed."""
        return (
            self.weights.astype(np.int16)
            if self.zero_points is None
            else unwrapped(self.weights, self.bits, self.zero_points)
        )

    @property
    def level_bits(self) -> int:
        """How many bits levels have in two's complement."""
        return level_bits(self.bits, self.zero_points)


@dataclass(frozen=True, eq=False)
class Conv(Layer):
    """A grouped, strided, padded, dilated convolution; weights [out, in / groups, kh, kw]."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


@dataclass(frozen=True, eq=False)
class Linear(Layer):
    """A matrix product; weights [out, in]."""


@dataclass(frozen=True, eq=False)
class Add(Operation):
    """The sum of tensors, each with a multiplier of its own."""

    scaling: Scaling


@dataclass(frozen=True, eq=False)
class Mul(Operation):
    """The product of two tensors; one of them may be [C, 1, 1] against [C, H, W]."""

    scaling: Scaling


@dataclass(frozen=True, eq=False)
class Concat(Operation):
    """Tensors one behind the other along their first dimension, each with a multiplier of its own."""

    scaling: Scaling


@dataclass(frozen=True, eq=False)
class MaxPool(Operation):
    """The largest of each window; padding never wins."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, eq=False)
class AvgPool(Operation):
    """The mean of each window, whose multiplier also divides; padding counts as zeros."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    scaling: Scaling


@dataclass(frozen=True, eq=False)
class Gather(Operation):
    """The chosen entries of the first dimension."""

    indices: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Flatten(Operation):
    """[C, H, W] as [C · H · W]."""


@dataclass(frozen=True, eq=False)
class Upsample(Operation):
    """Each pixel repeated `factor` times in both directions."""

    factor: int


@dataclass(frozen=True, eq=False)
class Lut(Operation):
    """Any function of one integer: entry q of the table is the result for q."""

    table: NDArray[np.uint8]


OPERATIONS: tuple[type[Operation], ...] = (
    Conv,
    Linear,
    Add,
    Mul,
    Concat,
    MaxPool,
    AvgPool,
    Gather,
    Flatten,
    Upsample,
    Lut,
)
