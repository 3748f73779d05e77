"""Layers, joins, poolings and moves of float networks as ONNX."""

from torch import nn
from torch.nn import functional

from nas.lowering.groups import pair
from nas.onnx.float_call import FloatCall
from nas.onnx.graph import Attributes, Graph, enlarged, windows
from nas.quantize import Select, UnsupportedError


def layer(graph: Graph, call: FloatCall) -> str:
    """Adds a convolution or linear layer, and returns the name of its result.

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
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise UnsupportedError(
            f"{name!r} must pad with a number of zeros, but has {module.padding_mode!r}, {module.padding!r}"
        )
    spans = windows(pair(module.kernel_size), pair(module.stride), pair(module.padding))
    attributes = {**spans, "dilations": pair(module.dilation), "group": module.groups}
    return graph.node("Conv", [*call.inputs, *constants], name, attributes)


def add(graph: Graph, call: FloatCall) -> str:
    """Adds a sum, and returns the name of its result."""
    return graph.node("Add", call.inputs, call.name)


def mul(graph: Graph, call: FloatCall) -> str:
    """Adds a product, and returns the name of its result."""
    return graph.node("Mul", call.inputs, call.name)


def concat(graph: Graph, call: FloatCall) -> str:
    """Adds a concatenation, and returns the name of its result.

    Raises:
        UnsupportedError: if it does not join channels.
    """
    if call.shape[1] != sum(shape[1] for shape in call.sources):
        raise UnsupportedError(f"{call.name!r} must join channels, dim=1, but got {call.arguments}")
    return graph.node("Concat", call.inputs, call.name, {"axis": 1})


def mean(graph: Graph, call: FloatCall) -> str:
    """Adds an average pooling, and returns the name of its result.

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


def move(graph: Graph, call: FloatCall) -> str:
    """Adds an operation that moves or selects elements, if any, and returns the name of its result.

    Raises:
        UnsupportedError: if it is a function where a module is needed.
    """
    module, name = call.function, call.name
    if isinstance(module, nn.MaxPool2d):
        spans = windows(pair(module.kernel_size), pair(module.stride), pair(module.padding))
        attributes: Attributes = {
            **spans,
            "dilations": pair(module.dilation),
            "ceil_mode": int(module.ceil_mode),
        }
        return graph.node("MaxPool", call.inputs, name, attributes)
    if isinstance(module, Select):
        indices = graph.constant(module.indices.numpy(), f"{name}.indices")
        return graph.node("Gather", [*call.inputs, indices], name, {"axis": 1})
    if isinstance(module, nn.UpsamplingNearest2d):
        return enlarged(graph, call.inputs[0], name, call.shape[2] // call.sources[0][2])
    if call.shape == call.sources[0]:
        return call.inputs[0]
    if module is functional.max_pool2d:
        raise UnsupportedError(f"{name!r} must be a module, nn.MaxPool2d, but is a function")
    return graph.node("Flatten", call.inputs, name)
