"""Convolutions and matrix products: those of the integer program, and those of float networks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nas.lowering.margins import conv_margins
from nas.lowering.rescaled import channel_affine
from nas.onnx.float_call import FloatCall
from nas.onnx.graph import Attributes, Graph, Writer, windows
from nas.onnx.requantized import integers
from nas.program.biases import bias_shift
from nas.program.operations import Conv, Layer, Linear, Operation
from nas.program.tensors import Signature
from nas.quantize import UnsupportedError

LARGEST_SUM = 2**30 - 1


def _layer(graph: Graph, operation: Layer, inputs: Sequence[str], signature: Signature) -> str:
    name, source, result = operation.name, signature.source, signature.result
    levels, units = _shifted_up(operation)
    weights, zero = _in_8_bits(levels, name)
    scales = (units * (result.scale / source.scale)).astype(np.float32)
    # Without zero points ONNX Runtime would fuse no products. It rewrites constants, so that none
    # may be shared.
    stored: dict[str, NDArray[Any]] = {
        "levels": weights,
        "scale": scales,
        "zero": np.full(len(scales), zero, weights.dtype),
    }
    constants = [graph.constant(values, f"{name}.{part}") for part, values in stored.items()]
    real = graph.real(inputs[0], f"{name}.source", source.scale, source.zero)
    dequantized = graph.node("DequantizeLinear", constants, f"{name}.weight", {"axis": 0})
    offsets = (operation.offsets * result.scale).astype(np.float32)
    biases = graph.constant(offsets, f"{name}.bias")
    kind, attributes = _operator(operation)
    total = graph.node(kind, [real, dequantized, biases], f"{name}.sum", attributes)
    return integers(graph, operation, total, signature)


def _operator(operation: Layer) -> tuple[str, Attributes]:
    if not isinstance(operation, Conv):
        return "Gemm", {"transB": 1}
    spans = windows(operation.window.kernel, operation.stride, operation.padding)
    return "Conv", {**spans, "dilations": operation.dilation, "group": operation.groups}


def _shifted_up(operation: Layer) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
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


WRITERS: Mapping[type[Operation], Writer] = {Conv: _layer, Linear: _layer}


def float_layer(graph: Graph, call: FloatCall) -> str:
    """Adds a layer of a float network, and returns the name of its result.

    Raises:
        UnsupportedError: if it pads in a way that has no integer form.
    """
    module, name = call.function, call.name
    weights = [tensor for tensor in (module.weight, module.bias) if tensor is not None]
    constants = [
        graph.constant(tensor.numpy(), f"{name}.{part}")
        for tensor, part in zip(weights, ("weight", "bias"), strict=False)
    ]
    if isinstance(module, nn.Linear):
        return graph.node("Gemm", [*call.inputs, *constants], name, {"transB": 1})
    (top, bottom), (left, right) = conv_margins(module, name)
    signals = isinstance(module, nn.Conv1d)
    attributes: Attributes = {
        "kernel_shape": module.kernel_size,
        "strides": module.stride,
        "pads": (left, right) if signals else (top, left, bottom, right),
        "dilations": module.dilation,
        "group": module.groups,
    }
    return graph.node("Conv", [*call.inputs, *constants], name, attributes)


def float_affine(graph: Graph, call: FloatCall) -> str:
    """Adds a normalization without a layer, or constants, of a float network, and returns the name
    of its result.
    """
    found = channel_affine(call.function, call.name, call.shape[1:])
    by_channel = -1, *[1] * (len(call.shape) - 2)
    gains, offsets = (
        graph.constant(values.astype(np.float32).reshape(by_channel), f"{call.name}.{part}")
        for values, part in ((found.gains, "gains"), (found.offsets, "offsets"))
    )
    scaled = graph.node("Mul", [*call.inputs, gains], f"{call.name}.scaled")
    return graph.node("Add", [scaled, offsets], call.name)
