"""Poolings: those of the integer program, and those of float networks."""

from collections.abc import Mapping, Sequence

import numpy as np
from onnx import TensorProto

from nas.lowering.moves import held_shape
from nas.lowering.pooling import counts_edges, pool_windows
from nas.onnx.exact import floored, truncated
from nas.onnx.float_call import FloatCall
from nas.onnx.fused_pooling import spans_of
from nas.onnx.graph import Attributes, Graph, Writer
from nas.onnx.requantized import reals
from nas.program.operations import (
    AvgPool,
    EdgeAvgPool,
    EdgeMaxPool,
    MaxPool,
    Operation,
)
from nas.program.operations.windows import Window
from nas.program.tensors import Signature


def _max_pool(graph: Graph, pool: MaxPool, inputs: Sequence[str], _: Signature) -> str:
    return graph.node("MaxPool", inputs, pool.name, spans_of(pool.window))


def _avg_pool(graph: Graph, pool: AvgPool, inputs: Sequence[str], signature: Signature) -> str:
    sums = _sums(graph, pool, inputs, signature)
    return floored(graph, pool, sums, signature, pool.scaling.factors)


def _edge_avg_pool(
    graph: Graph, pool: EdgeAvgPool, inputs: Sequence[str], signature: Signature
) -> str:
    # Windows that leave the image have fewer pixels, whose sum has a larger factor.
    factors = pool.window_factors(signature.source.shape)[np.newaxis, np.newaxis]
    sums = _sums(graph, pool, inputs, signature)
    wide = graph.node("Cast", [sums], f"{pool.name}.wide", {"to": TensorProto.DOUBLE})
    stored = graph.constant(factors.astype(np.float64), f"{pool.name}.factors")
    scaled = graph.node("Mul", [wide, stored], f"{pool.name}.scaled")
    half = graph.number(0.5 + signature.result.zero, np.float64)
    steps = graph.node("Add", [scaled, half], f"{pool.name}.steps")
    return truncated(graph, pool, steps)


def _sums(graph: Graph, pool: AvgPool, inputs: Sequence[str], signature: Signature) -> str:
    """The sum of each window, zeros around the image counted; a mean would have been rounded."""
    channels, *size = signature.source.shape
    source, name = reals(graph, pool, inputs, signature, [1.0]), f"{pool.name}.sum"
    if pool.kernel == tuple(size) and not any(pool.padding + pool.window.ends):
        axes = graph.constant(np.array([2, 3], np.int64), f"{pool.name}.axes")
        return graph.node("ReduceSum", [*source, axes], name)
    ones = graph.constant(np.ones((channels, 1, *pool.kernel), np.float32), f"{pool.name}.ones")
    return graph.node("Conv", [*source, ones], name, {**spans_of(pool.window), "group": channels})


WRITERS: Mapping[type[Operation], Writer] = {
    MaxPool: _max_pool,
    EdgeMaxPool: _max_pool,
    AvgPool: _avg_pool,
    EdgeAvgPool: _edge_avg_pool,
}


def float_max_pool(graph: Graph, call: FloatCall) -> str:
    """Adds a maximum pooling of a float network, and returns the name of its result.

    Raises:
        UnsupportedError: if it is an adaptive one whose windows have different sizes.
    """
    return graph.node("MaxPool", call.inputs, call.name, _float_spans(call))


def float_mean(graph: Graph, call: FloatCall) -> str:
    """Adds an average pooling of a float network, and returns the name of its result.

    Raises:
        UnsupportedError: if its windows have different sizes.
    """
    module, name, window = call.function, call.name, _window(call)
    if window.kernel == _image(call)[1:] and not any(window.padding + window.ends):
        mean = graph.node("GlobalAveragePool", call.inputs, name)
    else:
        edges = counts_edges(module, window.padding, window.extra, name)
        counted: Attributes = {"count_include_pad": int(not edges)}
        mean = graph.node("AveragePool", call.inputs, name, {**_float_spans(call), **counted})
    divisor = getattr(module, "divisor_override", None)
    if divisor is None:
        return mean
    ratio = window.kernel[0] * window.kernel[1] / divisor
    return graph.node("Mul", [mean, graph.number(ratio)], f"{name}.divided")


def _window(call: FloatCall) -> Window:
    kernel, stride, padding, extra = pool_windows(call.function, call.name, _image(call))
    return Window(kernel, stride, padding, extra=extra)


def _image(call: FloatCall) -> tuple[int, ...]:
    return held_shape(call.sources[0][1:])


def _float_spans(call: FloatCall) -> Attributes:
    """The attributes of a pooling; those along signals alone where it reads such."""
    window = _window(call)
    if len(call.shape) == 4:
        return spans_of(window)
    return {
        "kernel_shape": window.kernel[1:],
        "strides": window.stride[1:],
        "pads": (window.padding[1], window.ends[1]),
    }
