"""Real factors as the 16-bit multipliers and shifts of the program."""

import math

import numpy as np
from numpy.typing import NDArray

from nas.program.scaling import MAX_MULTIPLIER, MAX_SHIFT, MIN_SHIFT, Scaling


def scaling(factors: NDArray[np.float64], limits: tuple[int, int]) -> Scaling:
    """The scaling nearest to some factors, with a clamp to `limits`: the largest factor uses all 16
    bits, and the others share its shift.
    """
    shift = shift_for(float(factors.max()))
    multipliers = np.clip(np.rint(factors * 2.0**shift), 0, MAX_MULTIPLIER).astype(np.uint16)
    return Scaling(multipliers, shift, *limits)


def shift_for(largest: float) -> int:
    """The largest shift with which the multiplier of a factor has 16 bits."""
    exponent = MAX_SHIFT if largest == 0 else math.floor(math.log2(MAX_MULTIPLIER / largest))
    return min(max(exponent, MIN_SHIFT), MAX_SHIFT)
