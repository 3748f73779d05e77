"""Weights of b bits with levels in -z … 2^b - 1 - z, where z is the zero point of their channel.

A level is stored modulo 2^b, as a number of b bits in two's complement. So a level of 0 is stored
as 0 whatever the zero point, small levels are small numbers, and with the zero point 2^(b-1) levels
are stored as they are.
"""

import numpy as np
from numpy.typing import NDArray


def wrapped(levels: NDArray[np.int16], bits: int) -> NDArray[np.int8]:
    """Levels [out, …] modulo 2^bits; no two of one channel may be 2^bits or more apart."""
    half = 2 ** (bits - 1)
    weights: NDArray[np.int8] = (((levels + half) & (2**bits - 1)) - half).astype(np.int8)
    return weights


def unwrapped(
    weights: NDArray[np.int8], bits: int, zero_points: NDArray[np.uint8]
) -> NDArray[np.int16]:
    """The levels that `wrapped` was given, for the zero points [out] of their channels."""
    zeros = zero_points.astype(np.int16).reshape(-1, *[1] * (weights.ndim - 1))
    levels: NDArray[np.int16] = ((weights.astype(np.int16) + zeros) & (2**bits - 1)) - zeros
    return levels


def fitting_zero_points(levels: NDArray[np.int16], bits: int) -> NDArray[np.uint8]:
    """Zero points [out] for levels [out, …], as close to each other as possible: one for all
    channels where one fits them.
    """
    rows = levels.reshape(len(levels), -1)
    least, most = -rows.min(1, initial=0), 2**bits - 1 - rows.max(1, initial=0)
    zeros: NDArray[np.uint8] = np.maximum(least, min(least.max(), most.min())).astype(np.uint8)
    return zeros
