"""Convolutions and matrix products: those of the integer program, and those of float networks."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from torch import nn

from nas.lowering.margins import conv_margins
from nas.lowering.rescaled import channel_affine
from nas.onnx.exact import floored
from nas.onnx.float_call import FloatCall
from nas.onnx.fused_layers import fused_with, operator
from nas.onnx.fused_scales import exact_scales
from nas.onnx.graph import Attributes, Graph, Writer
from nas.program.operations import Conv, Layer, Linear, Operation
from nas.program.operations.layers import EXACT_FLOAT32
from nas.program.tensors import Signature
from nas.quantize import UnsupportedError


def _layer(graph: Graph, operation: Layer, inputs: Sequence[str], signature: Signature) -> str:
    """A layer that rounds as the program does on every processor: in a kernel of 8-bit integers if
    one does for every sum, and else with sums in 32-bit floats, or integers, that hold them all.
    """
    scales = exact_scales(operation, signature)
    if scales is not None:
        return fused_with(graph, operation, inputs, signature, scales)
    source, levels = signature.source, operation.weights.levels
    rows = np.abs(levels.reshape(len(levels), -1)).sum(1, dtype=np.int64)
    fits = int(rows.max()) * max(source.zero, source.top - source.zero) < EXACT_FLOAT32
    sums = (_float_sums if fits else _integer_sums)(graph, operation, inputs[0], source.zero)
    return floored(graph, operation, sums, signature, operation.scaling.factors, operation.offsets)


def _float_sums(graph: Graph, operation: Layer, source: str, zero: int) -> str:
    """Sums of products in 32-bit floats."""
    name, levels = operation.name, operation.weights.levels
    narrow = levels.astype(np.int8)
    exact = narrow if (narrow == levels).all() else levels
    stored = graph.weights(operation.weights, exact, f"{name}.levels")
    real = graph.real(source, f"{name}.source", 1.0, zero)
    weights = graph.node("Cast", [stored], f"{name}.weight", {"to": TensorProto.FLOAT})
    kind, attributes = operator(operation)
    return graph.node(kind, [real, weights], f"{name}.sum", attributes)


def _integer_sums(graph: Graph, operation: Layer, source: str, zero: int) -> str:
    """Sums of products in 32-bit integers, of unsigned weights, whose products never saturate.

    Levels of 9 bits are the sums of two weights.
    """
    name, levels = operation.name, operation.weights.levels
    first = levels.clip(-128, 127)
    parts = [part for part in (first, levels - first) if part.any()] or [first]
    sums = [_integer_sum(graph, operation, source, zero, part) for part in parts]
    return sums[0] if len(sums) == 1 else graph.node("Add", sums, f"{name}.sum")


def _integer_sum(
    graph: Graph, operation: Layer, source: str, zero: int, levels: NDArray[np.int16]
) -> str:
    name, attributes = operation.name, operator(operation)[1]
    convolves = isinstance(operation, Conv)
    unsigned = (levels + 128).astype(np.uint8)
    turned = unsigned if convolves else unsigned.T.copy()
    weights = graph.weights(operation.weights, turned, f"{name}.levels")
    zeros = [graph.number(zero, np.uint8), graph.number(128, np.uint8)]
    kind = "ConvInteger" if convolves else "MatMulInteger"
    return graph.node(
        kind, [source, weights, *zeros], f"{name}.sum", attributes if convolves else None
    )


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
        if len(call.shape) != 2:
            raise UnsupportedError(f"{name!r} must give features [N, F], but gives {call.shape}")
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
