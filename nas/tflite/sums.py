"""Sums of products, and scales with which kernels round every one of them as the program does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.program.biases import bias_shift
from nas.program.operations import Layer
from nas.program.tensors import TensorType
from nas.tflite.clamped import Clamp

LARGEST = 2**31 - 1
NUDGES = (0, 1, -1, 2, -2, 3, -3, 4, -4)


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums of `levels`, int64 [out, …], times q - zero of a source, plus `biases`, int64 [out]; the
    result has them times `multipliers` / 2^`shift`, int64 [out].

    Levels of few bits are shifted up until biases have their unit, so that all levels are multiples
    of `apart`.
    """

    source: TensorType
    levels: NDArray[np.int64]
    biases: NDArray[np.int64]
    multipliers: NDArray[np.int64]
    shift: int
    apart: int = 1

    @classmethod
    def of(cls, layer: Layer, source: TensorType) -> "Sums":
        """The sums of a layer; channels with a multiplier of 0 are zeros."""
        finer = bias_shift(layer.weights.level_bits)
        shift, multipliers = layer.scaling.shift + finer, layer.scaling.multipliers.astype(np.int64)
        levels, live = layer.weights.levels.astype(np.int64) << finer, multipliers > 0
        channels = (-1, *[1] * (levels.ndim - 1))
        return cls(
            source,
            np.where(live.reshape(channels), levels, 0),
            np.where(live, layer.biases, 0),
            np.where(live, multipliers, 2**shift),
            shift,
            2**finer,
        )

    @property
    def factors(self) -> NDArray[np.float64]:
        """What the sums are multiplied by, [out]; exact."""
        return self.multipliers.astype(np.float64) * 0.5**self.shift

    @property
    def ends(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The least and the largest sum of each channel that can occur, [out]."""
        rows, zero = self.levels.reshape(len(self.levels), -1), self.source.zero
        up, down = rows.clip(min=0).sum(1), rows.clip(max=0).sum(1)
        furthest = self.source.top - zero
        least = self.biases + down * furthest - up * zero
        return least, self.biases + up * furthest - down * zero

    @property
    def bound(self) -> int:
        """What no part of a sum exceeds."""
        rows, zero = np.abs(self.levels.reshape(len(self.levels), -1)).sum(1), self.source.zero
        furthest = max(zero, self.source.top - zero)
        return int((rows * furthest + np.abs(self.biases)).max())

    def scales(self, source: float, result: float) -> NDArray[np.float32]:
        """The nearest scales of the weights, [out], between tensors of these scales; they are exact
        where the quotient of those is a power of two.
        """
        return (self.factors * (result / source)).astype(np.float32)

    def exact_scales(
        self, source: float, result: float, clamp: Clamp
    ) -> NDArray[np.float32] | None:
        """Scales with which a kernel that rounds once, in 32-bit floats and half to even, gives the
        program's integers for every sum that can occur; None where none are found.

        Both are steps that never fall, so that they are the same if they rise at the same sums. A
        scale a few units in the last place away often moves what rounds otherwise.
        """
        rises = _Rises(self, clamp)
        nearest = self.scales(source, result)
        found, right = nearest.copy(), np.zeros(len(nearest), np.bool_)
        for nudge in NUDGES:
            scales = (nearest.view(np.int32) + np.int32(nudge)).view(np.float32)
            kernel = np.float32(source) * scales / np.float32(result)
            fits = rises.same(kernel) & ~right
            found[fits] = scales[fits]
            right |= fits
            if right.all():
                return found
        return None


class _Rises:
    """The sums at which the integers of each channel rise, [out, steps]: the smallest with which the
    result is at least `steps`, and the largest with which it is not, inside what can occur.
    """

    def __init__(self, sums: Sums, clamp: Clamp) -> None:
        least, most = (end[:, np.newaxis] for end in sums.ends)
        zero = clamp.result.zero
        self.steps = np.arange(clamp.low, clamp.high, dtype=np.int64) + 1 - zero
        halves = (2 * self.steps - 1) << sums.shift
        rises = -(-halves // (2 * sums.multipliers[:, np.newaxis]))
        rises = rises + (sums.biases[:, np.newaxis] - rises) % sums.apart
        self.above, self.below = np.maximum(rises, least), np.minimum(rises - sums.apart, most)
        self.reached, self.missed = rises <= most, rises - sums.apart >= least

    def same(self, scales: NDArray[np.float32]) -> NDArray[np.bool_]:
        """The channels, [out], of which a kernel with these scales rises at the same sums."""
        above, below = (
            np.rint(sums.astype(np.float32) * scales[:, np.newaxis])
            for sums in (self.above, self.below)
        )
        wrong = self.reached & (above < self.steps) | self.missed & (below >= self.steps)
        same: NDArray[np.bool_] = ~wrong.any(1)
        return same
