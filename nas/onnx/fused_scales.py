"""Scales with which a fused kernel rounds every sum of a layer as the program does."""

import numpy as np
from numpy.typing import NDArray

from nas.onnx.fused_layers import shifted_up, weight_scales
from nas.program.biases import bias_shift
from nas.program.operations import Layer
from nas.program.rounded_sums import RoundedSums, extremes
from nas.program.tensors import Signature

LARGEST_16 = 2**15 - 1
# A bias is a sum's unit times an integer, which 32-bit floats give back exactly up to here.
LARGEST_BIAS = 2**21


def exact_scales(operation: Layer, signature: Signature) -> NDArray[np.float32] | None:
    """Scales of the weights, [out], with which a kernel of 8-bit integers gives the program's
    integers for every sum that can occur; None where none are found.

    ONNX Runtime multiplies a sum of products and the bias, both rounded to 32-bit floats, by
    `scale of the source * scale of the weights / scale of the result`, and rounds half to even.
    On x86 without VNNI, products of two neighbours add up in 16 bits with saturation.
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
    least, most = extremes(levels.astype(np.int64), biases, source)
    scaling, zero = operation.scaling, signature.result.zero
    sums = RoundedSums(
        multipliers=multipliers.astype(np.int64),
        shift=scaling.shift + shift,
        biases=biases,
        apart=2**shift,
        least=least,
        most=most,
        results=(scaling.low - zero, scaling.high - zero),
    )
    nearest = weight_scales(operation, signature)
    return sums.agreeing_scales(nearest, source.scale, signature.result.scale)
