"""Biases in units that an accumulator of integers can add."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nas.program.scaling import MAX_MULTIPLIER, Scaling
from nas.program.weights import IntegerWeights

LARGEST_BIAS = 2**30


def bias_shift(bits: int) -> int:
    """By how many bits the unit of a bias is finer than that of the sum of products, for levels of
    `bits` bits.

    Sums of narrow weights are coarse: at 2 bits one unit can be a whole step of the result. So the
    unit is that of weights of 7 bits, which is also what a kernel for 8-bit weights can add once
    the weights are shifted up.
    """
    return max(0, 7 - max(bits, 2))


def bias_units(scaling: Scaling, bits: int) -> NDArray[np.float64]:
    """What a bias of 1 adds to each channel, in steps of the result."""
    return scaling.multipliers.astype(np.float64) * 0.5 ** (scaling.shift + bias_shift(bits))


def least_factor(offsets: NDArray[np.float64], weights: IntegerWeights) -> float:
    """The smallest factor from sums to steps of the result with which biases of `offsets`, in such
    steps, fit 31 bits.
    """
    return float(np.abs(offsets).max()) * 2.0 ** bias_shift(weights.level_bits) / LARGEST_BIAS


def with_biases(
    offsets: NDArray[np.float64], scaling: Scaling, weights: IntegerWeights
) -> tuple[Scaling, IntegerWeights, NDArray[np.int32]]:
    """Scaling, weights and the biases, int32 [out], nearest to `offsets`, in steps of the result.

    A channel whose multiplier is so small that its bias would not fit 31 bits is a constant: it
    gets the smallest multiplier with which the bias fits, and weights of 0 where 0 is possible.
    """
    products = np.abs(offsets) * 2.0 ** (scaling.shift + bias_shift(weights.level_bits))
    least = np.clip(np.ceil(products / LARGEST_BIAS), 1, MAX_MULTIPLIER).astype(np.uint16)
    if weights.can_be_zero:
        weights = weights.cleared(scaling.multipliers < least)
    scaling = replace(scaling, multipliers=np.maximum(scaling.multipliers, least))
    biases = np.rint(offsets / bias_units(scaling, weights.level_bits))
    return scaling, weights, biases.clip(-LARGEST_BIAS, LARGEST_BIAS).astype(np.int32)
