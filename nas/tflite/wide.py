"""Sums in 32-bit integers, scaled and rounded once by integer operators alone.

Runtimes have no kernel that multiplies 31 bits by 16, so that a sum is split: its upper part times
the multiplier, and what the product with the lower 14 bits carries into it, have 31 bits together.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.quantize import UnsupportedError
from nas.tflite.clamped import Clamp
from nas.tflite.flatbuffer import TYPES
from nas.tflite.graph import INT8, INT32, Graph, Value

LOWER = 14
LARGEST = 2**31 - 1


class Wide:
    """32-bit integers of one operation, in a graph that it adds operators to."""

    def __init__(self, graph: Graph, name: str, shape: Sequence[int]) -> None:
        self.graph, self.name, self.shape = graph, name, tuple(shape)

    def held(self, value: Value, zero: int) -> int:
        """Integers q - zero of a value, which may be broadcast to the shape."""
        kind = Wide(self.graph, self.name, value.shape)
        return kind.plus(kind.cast(value.index, INT8, INT32), -(zero + value.offset))

    def cast(self, index: int, source: np.dtype[np.generic], kind: np.dtype[np.generic]) -> int:
        """A tensor as numbers of another type."""
        result = self.graph.tensor(f"{self.name}.{kind.name}", self.shape, kind)
        fields = {"InDataType": TYPES[source], "OutDataType": TYPES[kind]}
        return self.graph.add("CAST", [index], result, "CastOptions", fields)

    def number(self, values: NDArray[np.int64] | int) -> int:
        """A constant of one number, or one for each channel."""
        wide = np.asarray(values, np.int32)
        stored = wide.reshape(*[1] * (len(self.shape) - 1), -1)
        return self.graph.constant(stored, f"{self.name}.number")

    def both(self, kind: str, first: int, second: int, options: str) -> int:
        """An operator on two tensors."""
        result = self.graph.tensor(f"{self.name}.{kind.lower()}", self.shape, INT32)
        return self.graph.add(kind, [first, second], result, options)

    def plus(self, index: int, values: NDArray[np.int64] | int) -> int:
        """Constants added."""
        if not np.any(values):
            return index
        return self.both("ADD", index, self.number(values), "AddOptions")

    def times(self, index: int, values: NDArray[np.int64] | int) -> int:
        """Multiplied by constants."""
        if np.all(np.asarray(values) == 1):
            return index
        return self.both("MUL", index, self.number(values), "MulOptions")

    def shifted(self, index: int, bits: int) -> int:
        """Divided by a power of two, rounded down."""
        for part in (bits - 30, min(bits, 30)):  # 32 bits hold no larger power of two
            if part > 0:
                index = self.both("FLOOR_DIV", index, self.number(2**part), "FloorDivOptions")
        return index

    def rounded(
        self, index: int, multipliers: NDArray[np.int64], shift: int, bound: int, clamp: Clamp
    ) -> Value:
        """floor(sum · multipliers / 2^shift + 1/2) between the limits of an operation, for sums of
        which none exceeds `bound`.

        Raises:
            UnsupportedError: if 32 bits do not hold what is added.
        """
        largest, half = int(multipliers.max()), 2 ** (shift - 1)
        if bound * largest < half:
            steps = self.times(index, 0)
        elif bound * largest + half <= LARGEST:
            steps = self.shifted(self.plus(self.times(index, multipliers), half), shift)
        else:
            rest, most = shift - LOWER, ((bound >> LOWER) + 1) * largest + 4 * largest
            if rest < 1 or most + 2 ** (rest - 1) > LARGEST:
                raise UnsupportedError(
                    f"{self.name!r} must have sums that 32-bit integers scale exactly, but they "
                    f"reach {bound}, times {largest} / 2^{shift}: use fewer bits or inputs"
                )
            upper = self.shifted(index, LOWER)
            down = self.times(upper, -(2**LOWER))
            lower = self.both("ADD", index, down, "AddOptions")
            carried = self.shifted(self.times(lower, multipliers), LOWER)
            total = self.both("ADD", self.times(upper, multipliers), carried, "AddOptions")
            steps = self.shifted(self.plus(total, 2 ** (rest - 1)), rest)
        return self.clamped(steps, clamp)

    def clamped(self, steps: int, clamp: Clamp) -> Value:
        """Steps from the zero point as integers between the limits of an operation."""
        zero = clamp.result.zero
        least, most = self.number(clamp.low - zero), self.number(clamp.high - zero)
        steps = self.both("MAXIMUM", steps, least, "MaximumMinimumOptions")
        steps = self.both("MINIMUM", steps, most, "MaximumMinimumOptions")
        steps = self.plus(steps, zero + clamp.offset)
        result = clamp.unclamped(self.graph, self.name)
        fields = {"InDataType": TYPES[INT32], "OutDataType": TYPES[INT8]}
        self.graph.add("CAST", [steps], result.index, "CastOptions", fields)
        return result
