"""Scales with which a fused kernel rounds every sum of a layer as the program does."""

import numpy as np
from numpy.typing import NDArray

from nas.onnx.fused_layers import shifted_up, weight_scales
from nas.program.biases import bias_shift
from nas.program.operations import Layer
from nas.program.tensors import Signature

LARGEST_16 = 2**15 - 1
# A bias is a sum's unit times an integer, which 32-bit floats give back exactly up to here.
LARGEST_BIAS = 2**21
NUDGES = (0, 1, -1, 2, -2, 3, -3, 4, -4)


def exact_scales(operation: Layer, signature: Signature) -> NDArray[np.float32] | None:
    """Scales of the weights, [out], with which a kernel of 8-bit integers gives the program's
    integers for every sum that can occur; None where none are found.

    ONNX Runtime multiplies a sum of products and the bias, both rounded to 32-bit floats, by
    `scale of the source * scale of the weights / scale of the result`, and rounds half to even.
    Both that and the program are steps that never fall, so that they are the same if they rise at
    the same sums; a scale a few units in the last place away often moves what rounds otherwise. On
    x86 without VNNI, products of two neighbours add up in 16 bits with saturation.
    """
    shift, multipliers = bias_shift(operation.weights.level_bits), operation.scaling.multipliers
    levels, units = shifted_up(operation)
    source, biases = signature.source, operation.biases.astype(np.int64)
    if (
        not multipliers.all()
        or (units != operation.scaling.factors * 0.5**shift).any()
        or 2 * source.top * int(np.abs(levels).max(initial=0)) > LARGEST_16
        or int(np.abs(biases).max()) > LARGEST_BIAS
    ):
        return None
    rises = _Rises(operation, signature, levels)
    nearest = weight_scales(operation, signature)
    found, right = nearest.copy(), np.zeros(len(nearest), np.bool_)
    for nudge in NUDGES:
        scales = _moved(nearest, nudge)
        kernel = np.float32(source.scale) * scales / np.float32(signature.result.scale)
        fits = rises.same(kernel) & ~right
        found[fits] = scales[fits]
        right |= fits
        if right.all():
            return found
    return None


def _moved(scales: NDArray[np.float32], nudge: int) -> NDArray[np.float32]:
    """Positive floats a number of units in the last place away."""
    moved: NDArray[np.float32] = (scales.view(np.int32) + np.int32(nudge)).view(np.float32)
    return moved


class _Rises:
    """The sums at which the integers of each channel rise, [out, steps]: the smallest with which
    the result is at least `steps`, and the largest with which it is not, inside what can occur.
    """

    def __init__(self, operation: Layer, signature: Signature, levels: NDArray[np.int16]) -> None:
        source, result, scaling = signature.source, signature.result, operation.scaling
        shift = bias_shift(operation.weights.level_bits)
        biases = operation.biases.astype(np.int64)[:, np.newaxis]
        rows = levels.reshape(len(levels), -1).astype(np.int64)
        up, down = rows.clip(min=0).sum(1)[:, np.newaxis], rows.clip(max=0).sum(1)[:, np.newaxis]
        furthest = source.top - source.zero
        least = biases + down * furthest - up * source.zero
        most = biases + up * furthest - down * source.zero
        self.steps = np.arange(scaling.low, scaling.high, dtype=np.int64) + 1 - result.zero
        halves = (2 * self.steps - 1) << (scaling.shift + shift)
        sums = -(-halves // (2 * scaling.multipliers.astype(np.int64)[:, np.newaxis]))
        apart = 2**shift
        sums = sums + (biases - sums) % apart
        self.above, self.below = np.maximum(sums, least), np.minimum(sums - apart, most)
        self.reached, self.missed = sums <= most, sums - apart >= least

    def same(self, scales: NDArray[np.float32]) -> NDArray[np.bool_]:
        """The channels, [out], of which a kernel with these scales rises at the same sums."""
        above, below = (
            np.rint(sums.astype(np.float32) * scales[:, np.newaxis])
            for sums in (self.above, self.below)
        )
        wrong = self.reached & (above < self.steps) | self.missed & (below >= self.steps)
        same: NDArray[np.bool_] = ~wrong.any(1)
        return same
