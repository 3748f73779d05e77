"""Poolings: those of the integer program, and those of float networks."""

from collections.abc import Mapping, Sequence

import numpy as np

from nas.lowering.moves import held_shape
from nas.lowering.pooling import counts_edges, pool_windows
from nas.onnx.float_call import FloatCall
from nas.onnx.graph import Attributes, Graph, Writer
from nas.onnx.requantized import integers, reals, scales
from nas.program.operations import (
    AvgPool,
    EdgeAvgPool,
    EdgeMaxPool,
    MaxPool,
    Operation,
)
from nas.program.operations.windows import Window
from nas.program.tensors import Signature

SMALLEST_MEAN = 2.0**-31


def _max_pool(graph: Graph, pool: MaxPool, inputs: Sequence[str], _: Signature) -> str:
    return graph.node("MaxPool", inputs, pool.name, _spans(pool.window))


def _avg_pool(graph: Graph, pool: AvgPool, inputs: Sequence[str], signature: Signature) -> str:
    # ONNX Runtime refuses smaller multipliers; such a one gives the zero point for any window.
    scale = max(*scales(pool, signature), SMALLEST_MEAN * signature.result.scale)
    mean = _mean(graph, pool, inputs, signature, scale)
    return integers(graph, pool, mean, signature)


def _edge_avg_pool(
    graph: Graph, pool: EdgeAvgPool, inputs: Sequence[str], signature: Signature
) -> str:
    # Windows that leave the image have fewer pixels, whose sum has a larger factor.
    factors = pool.window_factors(signature.source.shape)
    least = max(float(factors.min()), SMALLEST_MEAN)
    mean = _mean(graph, pool, inputs, signature, least * signature.result.scale)
    ratios = (factors / least).astype(np.float32)[np.newaxis, np.newaxis]
    stored = graph.constant(ratios, f"{pool.name}.ratios")
    scaled = graph.node("Mul", [mean, stored], f"{pool.name}.real")
    return integers(graph, pool, scaled, signature)


def _mean(
    graph: Graph, pool: AvgPool, inputs: Sequence[str], signature: Signature, scale: float
) -> str:
    """The mean of each window, zeros around the image counted, such that its sum is that of the
    integers times `scale`.
    """
    name, pixels = f"{pool.name}.real", pool.kernel[0] * pool.kernel[1]
    source = reals(graph, pool, inputs, signature, [scale * pixels])
    if pool.kernel == signature.source.shape[1:] and not any(pool.padding + pool.window.ends):
        return graph.node("GlobalAveragePool", source, name)
    return graph.node("AveragePool", source, name, {**_spans(pool.window), "count_include_pad": 1})


def _spans(window: Window) -> Attributes:
    return {
        "kernel_shape": window.kernel,
        "strides": window.stride,
        "pads": (*window.padding, *window.ends),
    }


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
        return _spans(window)
    return {
        "kernel_shape": window.kernel[1:],
        "strides": window.stride[1:],
        "pads": (window.padding[1], window.ends[1]),
    }
