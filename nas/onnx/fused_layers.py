"""Layers between DequantizeLinear and QuantizeLinear, which runtimes fuse into kernels of 8-bit integers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.onnx.graph import Attributes, Graph, Writer, windows
from nas.onnx.requantized import integers
from nas.program.biases import bias_shift
from nas.program.operations import Conv, Layer, Linear, Operation
from nas.program.tensors import Signature
from nas.quantize import UnsupportedError

LARGEST_SUM = 2**30 - 1


def fused_layer(graph: Graph, operation: Layer, inputs: Sequence[str], signature: Signature) -> str:
    """Adds a layer whose kernel rounds as 32-bit floats do, and may saturate.

    Raises:
        UnsupportedError: if its weights have 8 bits and zero points so different that no common one
            fits.
    """
    return fused_with(graph, operation, inputs, signature, weight_scales(operation, signature))


def fused_with(
    graph: Graph,
    operation: Layer,
    inputs: Sequence[str],
    signature: Signature,
    scales: NDArray[np.float32],
) -> str:
    """Adds a layer whose weights have these scales, [out]."""
    name, source, result = operation.name, signature.source, signature.result
    weights, zero = _in_8_bits(shifted_up(operation)[0], name)
    # Without zero points ONNX Runtime would fuse no products. It rewrites constants, so that scales
    # and zero points may not be shared.
    stored: dict[str, NDArray[Any]] = {
        "scale": scales,
        "zero": np.full(len(scales), zero, weights.dtype),
    }
    levels = graph.weights(operation.weights, weights, f"{name}.levels")
    constants = [graph.constant(values, f"{name}.{part}") for part, values in stored.items()]
    real = graph.real(inputs[0], f"{name}.source", source.scale, source.zero)
    dequantized = graph.node(
        "DequantizeLinear", [levels, *constants], f"{name}.weight", {"axis": 0}
    )
    offsets = (operation.offsets * result.scale).astype(np.float32)
    biases = graph.constant(offsets, f"{name}.bias")
    kind, attributes = operator(operation)
    total = graph.node(kind, [real, dequantized, biases], f"{name}.sum", attributes)
    return integers(graph, operation, total, signature)


def operator(operation: Layer) -> tuple[str, Attributes]:
    """The operator of a layer in floats, and its attributes."""
    if not isinstance(operation, Conv):
        return "Gemm", {"transB": 1}
    spans = windows(operation.window.kernel, operation.stride, operation.padding)
    return "Conv", {**spans, "dilations": operation.dilation, "group": operation.groups}


def weight_scales(operation: Layer, signature: Signature) -> NDArray[np.float32]:
    """The nearest scales of the weights of each channel, [out], once they are shifted up."""
    _, units = shifted_up(operation)
    return (units * (signature.result.scale / signature.source.scale)).astype(np.float32)


def shifted_up(operation: Layer) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Levels of weights shifted up to 7 bits, and the unit of the sums of each channel in steps of
    the result.

    The unit is then that of the biases, except in a layer so large that its sums would not fit 32
    bits.
    """
    weights = operation.weights
    rows = weights.levels.reshape(len(weights.values), -1).astype(np.float64)
    largest = 255 * float(np.abs(rows).sum(1).max())
    finer = max(1, min(2 ** bias_shift(weights.level_bits), int(LARGEST_SUM / max(largest, 1.0))))
    gains = operation.scaling.factors
    # A channel with a multiplier of 0 needs a unit for its bias all the same, with which 32 bits
    # hold it.
    least = np.maximum(np.abs(operation.offsets), 1.0) / LARGEST_SUM
    units = np.maximum(gains / finer, least)
    levels = np.rint(rows * (gains / units)[:, np.newaxis]).astype(np.int16)
    return levels.reshape(weights.shape), units


def _in_8_bits(levels: NDArray[np.int16], name: str) -> tuple[NDArray[Any], int]:
    """Levels as signed integers, or as unsigned ones with a zero point, of which ONNX Runtime takes
    one for all channels.
    """
    low, high = int(levels.min(initial=0)), int(levels.max(initial=0))
    if low >= -128 and high <= 127:
        return levels.astype(np.int8), 0
    if high - low > 255:
        raise UnsupportedError(
            f"{name!r} must have weights that one zero point brings to 0 … 255 in all channels, but their levels lie in "
            f"{low} … {high}: use 7 bits, symmetric weights, or weight_scales='tensor' without negative gains behind the layer"
        )
    return (levels - low).astype(np.uint8), -low


WRITERS: Mapping[type[Operation], Writer] = {Conv: fused_layer, Linear: fused_layer}
