"""Biases in units that an accumulator of integers can add."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nas.program.operations import MAX_MULTIPLIER, Conv, Linear, Scaling, Weights

LARGEST_BIAS = 2**30
# What files of version 1 hold: biases in 256ths of a step of the result.
STEPS_SHIFT = 8


def bias_shift(bits: int) -> int:
    """How many bits finer than the sum of products a bias is, for levels of so many bits.

    Sums of narrow weights are coarse: with 2 bits one unit can be a whole step of the result. So
    they count as if the weights had 7 bits, which also is what a kernel for 8-bit weights can add,
    after shifting them up.
    """
    return max(0, 7 - max(bits, 2))


def bias_units(scaling: Scaling, bits: int) -> NDArray[np.float64]:
    """What a bias of 1 is worth in each channel, in steps of the result."""
    return scaling.multipliers.astype(np.float64) * 0.5 ** (scaling.shift + bias_shift(bits))


def with_biases(
    offsets: NDArray[np.float64],
    scaling: Scaling,
    weights: Weights,
    bits: int,
    entries: int | None = None,
) -> tuple[Weights, NDArray[np.int32], Scaling]:
    """Weights, whose levels have so many bits, the biases nearest to `offsets`, in steps of the
    result, and multipliers.

    A channel whose multiplier is so small that its bias would not fit 31 bits is a constant: its
    weights become 0, where they can, and its multiplier the least that its bias needs.
    """
    products = np.abs(offsets) * 2.0 ** (scaling.shift + bias_shift(bits))
    least = np.clip(np.ceil(products / LARGEST_BIAS), 1, MAX_MULTIPLIER).astype(np.uint16)
    constant = scaling.multipliers < least
    # Those of one bit cannot be 0, nor those of a codebook that has no 0.
    if bits > 1 and (entries is None or not weights.all()):
        weights = np.where(constant.reshape(-1, *[1] * (weights.ndim - 1)), np.int8(0), weights)
    scaling = replace(scaling, multipliers=np.maximum(scaling.multipliers, least))
    biases = np.rint(offsets / bias_units(scaling, bits)).clip(-LARGEST_BIAS, LARGEST_BIAS)
    return weights, biases.astype(np.int32), scaling


def from_version_1(layer: Conv | Linear) -> Conv | Linear:
    """A layer whose biases are in 256ths of a step, with the nearest ones in today's units."""
    offsets = layer.biases / 2.0**STEPS_SHIFT
    weights, biases, scaling = with_biases(offsets, layer.scaling, layer.weights, layer.level_bits)
    return replace(layer, weights=weights, biases=biases, scaling=scaling)
