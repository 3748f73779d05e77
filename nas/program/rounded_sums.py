"""The sums of products at which the integers of a layer rise, and scales in floats that agree with them.

Runtimes round a sum as `rint(float32(sum) * scale)`, a program as `(sum * multiplier + half) >> shift`.
Both are steps that never fall, so that they are the same if they rise at the same sums.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.program.tensors import TensorType


def nearby(scales: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The scales, above 0, and those up to four units in the last place away, nearest first: that often
    moves what rounds otherwise.
    """
    for nudge in (0, 1, -1, 2, -2, 3, -3, 4, -4):
        yield (scales.view(np.int32) + np.int32(nudge)).view(np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class RoundedSums:
    """Sums of each of n channels, and what they are rounded to.

    Args:
        multipliers: int64, [n], above 0
        shift: a result is a sum times its multiplier / 2^`shift`, rounded
        biases: int64, [n], of which each sum is a multiple of `apart` away
        apart: the distance of neighbouring sums
        least: the least sum that can occur, int64, [n]
        most: the largest one, int64, [n]
        results: the least and the largest result, relative to that of a sum of 0
    """

    multipliers: NDArray[np.int64]
    shift: int
    biases: NDArray[np.int64]
    apart: int
    least: NDArray[np.int64]
    most: NDArray[np.int64]
    results: tuple[int, int]

    def agreeing_scales(
        self, nearest: NDArray[np.float32], source: float, result: float
    ) -> NDArray[np.float32] | None:
        """Scales of the weights, [n], that are near to `nearest`, with which a kernel that rounds once,
        in 32-bit floats and half to even, gives the same integers for every sum that can occur; None
        where none are found. Tensors have the scales `source` and `result`.
        """
        steps, above, below = self._rises()
        found, right = nearest.copy(), np.zeros(len(nearest), np.bool_)
        for scales in nearby(nearest):
            kernel = (np.float32(source) * scales / np.float32(result))[:, np.newaxis]
            reached = np.rint(above.clip(self.least[:, np.newaxis]).astype(np.float32) * kernel)
            missed = np.rint(below.clip(max=self.most[:, np.newaxis]).astype(np.float32) * kernel)
            wrong = (above <= self.most[:, np.newaxis]) & (reached < steps)
            wrong |= (below >= self.least[:, np.newaxis]) & (missed >= steps)
            fits = ~wrong.any(1) & ~right
            found[fits] = scales[fits]
            right |= fits
            if right.all():
                return found
        return None

    def _rises(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The results above the least one, [steps]; of each channel the smallest sums with which they
        are reached, and the largest with which they are not, [n, steps].
        """
        steps = np.arange(*self.results, dtype=np.int64) + 1
        halves = (2 * steps - 1) << self.shift
        above = -(-halves // (2 * self.multipliers[:, np.newaxis]))
        above = above + (self.biases[:, np.newaxis] - above) % self.apart
        return steps, above, above - self.apart


def extremes(
    levels: NDArray[np.int64], biases: NDArray[np.int64], source: TensorType
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The least and the largest sum that can occur of `levels`, [n, …], times q - zero of a source, plus
    `biases`, [n]; each [n].
    """
    rows = levels.reshape(len(levels), -1)
    up, down = rows.clip(min=0).sum(1), rows.clip(max=0).sum(1)
    furthest = source.top - source.zero
    least = biases + down * furthest - up * source.zero
    return least, biases + up * furthest - down * source.zero
