"""Average poolings between DequantizeLinear and QuantizeLinear, which runtimes fuse."""

from collections.abc import Mapping, Sequence

import numpy as np

from nas.onnx.graph import Attributes, Graph, Writer
from nas.onnx.requantized import integers, reals, scales
from nas.program.operations import AvgPool, EdgeAvgPool, Operation
from nas.program.operations.windows import Window
from nas.program.tensors import Signature

SMALLEST_MEAN = 2.0**-31


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
    return graph.node(
        "AveragePool", source, name, {**spans_of(pool.window), "count_include_pad": 1}
    )


def spans_of(window: Window) -> Attributes:
    """The attributes of a pooling, or of a convolution without dilations and groups."""
    return {
        "kernel_shape": window.kernel,
        "strides": window.stride,
        "pads": (*window.padding, *window.ends),
    }


WRITERS: Mapping[type[Operation], Writer] = {AvgPool: _avg_pool, EdgeAvgPool: _edge_avg_pool}
