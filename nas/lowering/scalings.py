"""Real factors as the 16-bit multipliers and shifts of the program."""

import math

import numpy as np
from numpy.typing import NDArray

from nas.program.scaling import MAX_MULTIPLIER, MAX_SHIFT, MIN_SHIFT, Scaling
from nas.tracing import UnsupportedError

LARGEST_FACTOR = MAX_MULTIPLIER * 0.5**MIN_SHIFT
FACTOR_OF_NOTHING = 1e12


def scaling(factors: NDArray[np.float64], limits: tuple[int, int], least: float = 0.0) -> Scaling:
    """The scaling nearest to some factors, with a clamp to `limits`: the largest factor uses all 16
    bits, and the others share its shift. A factor of `least` can be told, too, if all are smaller.

    Raises:
        UnsupportedError: if a factor has no multiplier, because the result has far smaller steps than
            what it is made of.
    """
    largest = float(factors.max())
    # What is always 0 has steps of next to nothing: any factor will do.
    if LARGEST_FACTOR * (1.0 + 1e-4) < largest < FACTOR_OF_NOTHING:
        raise UnsupportedError(
            f"a result must have steps of at least 1/{LARGEST_FACTOR:.0f} of those of what it is made of, but has 1/{largest:.0f}: "
            "its values on the calibration inputs are far smaller than the terms of the sums that they are"
        )
    shift = shift_for(max(largest, least))
    multipliers = np.clip(np.rint(factors * 2.0**shift), 0, MAX_MULTIPLIER).astype(np.uint16)
    return Scaling(multipliers, shift, *limits)


def shift_for(largest: float) -> int:
    """The largest shift with which the multiplier of a factor has 16 bits."""
    exponent = MAX_SHIFT if largest == 0 else math.floor(math.log2(MAX_MULTIPLIER / largest))
    return min(max(exponent, MIN_SHIFT), MAX_SHIFT)
