"""Real factors as the 16-bit multipliers and shifts of the program."""

import math

import numpy as np
from numpy.typing import NDArray

from nas.program.scaling import MAX_MULTIPLIER, MAX_SHIFT, MIN_SHIFT, Scaling

LARGEST_FACTOR = MAX_MULTIPLIER * 0.5**MIN_SHIFT


def scaling(factors: NDArray[np.float64], limits: tuple[int, int], least: float = 0.0) -> Scaling:
    """The scaling nearest to some factors, with a clamp to `limits`: the largest factor uses all 16
    bits, and the others share its shift. A factor of `least` can be told, too, if all are smaller.
    A factor above `LARGEST_FACTOR` becomes that, which changes nothing: a sum of 1 then exceeds the
    range of the result, which has at most 256 steps.
    """
    shift = shift_for(max(float(factors.max()), least))
    multipliers = np.clip(np.rint(factors * 2.0**shift), 0, MAX_MULTIPLIER).astype(np.uint16)
    return Scaling(multipliers, shift, *limits)


def shift_for(largest: float) -> int:
    """The largest shift with which the multiplier of a factor has 16 bits."""
    exponent = MAX_SHIFT if largest == 0 else math.floor(math.log2(MAX_MULTIPLIER / largest))
    return min(max(exponent, MIN_SHIFT), MAX_SHIFT)


def within_reach(
    factors: NDArray[np.float64], offsets: NDArray[np.float64], zero: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factors of at most `LARGEST_FACTOR`, and offsets with which the results of integer sums are the
    same, in a range of 256 steps from -`zero`.

    Where a factor is larger, one sum at most gives a result within the range, and the next ones are
    further away than the range is wide. The offset keeps what that sum gives, or keeps two sums on
    either side.
    """
    least = np.minimum(factors, LARGEST_FACTOR)
    reaching = np.ceil((-zero - offsets) / factors.clip(LARGEST_FACTOR))
    given = np.minimum(reaching * factors + offsets, 255.5 - zero)
    return least, np.where(factors > LARGEST_FACTOR, given - reaching * least, offsets)
