"""Average poolings: those of the integer program, and those of float networks."""

from collections.abc import Mapping, Sequence

from torch import nn
from torch.nn import functional

from nas.lowering.groups import pair
from nas.onnx.float_call import FloatCall
from nas.onnx.graph import Attributes, Graph, Writer, windows
from nas.onnx.requantized import integers, reals, scales
from nas.program.operations import AvgPool, Operation
from nas.program.tensors import Signature
from nas.quantize import UnsupportedError

SMALLEST_MEAN = 2.0**-31


def _avg_pool(graph: Graph, pool: AvgPool, inputs: Sequence[str], signature: Signature) -> str:
    # ONNX Runtime refuses smaller multipliers; such a one gives the zero point for any window.
    scale = max(*scales(pool, signature), SMALLEST_MEAN * signature.result.scale)
    pixels = pool.kernel[0] * pool.kernel[1]
    source = reals(graph, pool, inputs, signature, [scale * pixels])
    if pool.kernel == signature.source.shape[1:] and pool.padding == (0, 0):
        mean = graph.node("GlobalAveragePool", source, f"{pool.name}.real")
    else:
        spans = windows(pool.kernel, pool.stride, pool.padding)
        attributes: Attributes = {**spans, "count_include_pad": 1}
        mean = graph.node("AveragePool", source, f"{pool.name}.real", attributes)
    return integers(graph, pool, mean, signature)


WRITERS: Mapping[type[Operation], Writer] = {AvgPool: _avg_pool}


def float_mean(graph: Graph, call: FloatCall) -> str:
    """Adds an average pooling of a float network, and returns the name of its result.

    Raises:
        UnsupportedError: if its windows have different sizes.
    """
    module, name = call.function, call.name
    if isinstance(module, nn.AvgPool2d):
        spans = windows(pair(module.kernel_size), pair(module.stride), pair(module.padding))
        flags = {
            "ceil_mode": int(module.ceil_mode),
            "count_include_pad": int(module.count_include_pad),
        }
        return graph.node("AveragePool", call.inputs, name, {**spans, **flags})
    size, result = call.sources[0][2:], call.shape[2:]
    if result == (1, 1):
        return graph.node("GlobalAveragePool", call.inputs, name)
    kernel = size[0] // result[0], size[1] // result[1]
    uneven = (kernel[0] * result[0], kernel[1] * result[1]) != size
    if module is functional.avg_pool2d or uneven:
        raise UnsupportedError(
            f"{name!r} must pool windows of one size; use nn.AvgPool2d, or nn.AdaptiveAvgPool2d to a divisor"
        )
    return graph.node("AveragePool", call.inputs, name, windows(kernel, kernel, (0, 0)))
