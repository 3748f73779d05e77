"""Float networks as ONNX, to compare integer programs with."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from onnx import ModelProto
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional
from torch.nn.utils import fuse_conv_bn_eval, fuse_linear_bn_eval

from nas.onnx.graph import INPUT, Attributes, Graph, enlarged, windows
from nas.onnx.pointwise import FloatCall, float_function
from nas.quantize import (
    ActivationQuantizer,
    Role,
    Select,
    UnsupportedError,
    dense,
    insert_quantizers,
    role,
)

_JOINS: dict[Role, tuple[str, Attributes]] = {
    Role.SUM: ("Add", {}),
    Role.PRODUCT: ("Mul", {}),
    Role.CONCAT: ("Concat", {"axis": 1}),
}


def float_to_onnx(model: nn.Module, example: Tensor) -> ModelProto:
    """A network without its quantizers as checked ONNX, from float32 "input" [N, …] to float32
    "logits" [N, classes].

    `example` is a batch of inputs. Batch normalization is folded into layers. Only networks with an
    integer program are supported.

    Raises:
        UnsupportedError: if an operation has no integer form, or is called in a way that has no
            ONNX form here.
    """
    # Traced as for the program, which refuses operations without an integer form; the quantizers
    # that this inserts are skipped.
    traced = copy.deepcopy(model).eval()
    if not any(isinstance(module, ActivationQuantizer) for module in traced.modules()):
        traced = insert_quantizers(traced, 8)
    assert isinstance(traced, fx.GraphModule)
    walk = _Walk(traced)
    with torch.no_grad():
        ShapeProp(traced).propagate(example[:1])
        for node in traced.graph.nodes:
            walk.visit(node)
    end = walk.inputs(next(iter(reversed(traced.graph.nodes))))[0]
    return walk.graph.model(walk.names[end], "network", tuple(example.shape[1:]), _shape(end)[1])


def _shape(node: fx.Node) -> tuple[int, ...]:
    return tuple(node.meta["tensor_meta"].shape)


class _Walk:
    """The graph so far, and the name of each node's result."""

    def __init__(self, model: fx.GraphModule) -> None:
        self.model = model
        self.graph = Graph()
        self.names: dict[fx.Node, str] = {}

    def visit(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self.names[node] = INPUT
        elif node.op != "output":
            module = (
                self.model.get_submodule(str(node.target)) if node.op == "call_module" else None
            )
            self.names[node] = self._added(
                node, module, str(node.target) if module is not None else node.name
            )

    def inputs(self, node: fx.Node) -> list[fx.Node]:
        """The tensors that a node reads, with repetitions."""
        tensors: list[Any] = (
            list(node.args[0]) if isinstance(node.args[0], (list, tuple)) else list(node.args)
        )
        if role(node, self.model) not in _JOINS:
            del tensors[1:]
        if node.kwargs.get("alpha", 1) != 1 or not all(
            isinstance(tensor, fx.Node) for tensor in tensors
        ):
            raise UnsupportedError(
                f"{node.name!r} must read tensors that the network computes, but reads {tensors}"
            )
        return tensors

    def _added(self, node: fx.Node, module: nn.Module | None, name: str) -> str:
        found, sources = role(node, self.model), self.inputs(node)
        values = [self.names[source] for source in sources]
        match found:
            case Role.LAYER:
                assert isinstance(module, (nn.Conv2d, nn.Linear))
                return _layer(self.graph, self._folded(node, module), values, name)
            case Role.SUM | Role.PRODUCT | Role.CONCAT:
                if found is Role.CONCAT and _shape(node)[1] != sum(
                    _shape(source)[1] for source in sources
                ):
                    raise UnsupportedError(
                        f"{name!r} must join channels, dim=1, but got {node.args[1:]}, {dict(node.kwargs)}"
                    )
                kind, attributes = _JOINS[found]
                return self.graph.node(kind, values, name, attributes)
            case Role.MEAN:
                return self._mean(node, module, values, name)
            case Role.CLAMP | Role.UNARY:
                if node.args[1:] or node.kwargs.keys() - {"inplace"}:
                    raise UnsupportedError(
                        f"{name!r} must have no further arguments, but has {node.args[1:]}, {dict(node.kwargs)}"
                    )
                function = node.target if module is None else module
                return float_function(
                    self.graph, FloatCall(function, values[0], name, _shape(node))
                )
            case Role.KEEP:
                return _kept(self.graph, module, node, values, name)
        # A quantizer, or batch normalization folded into its layer.
        return values[0]

    def _folded(self, node: fx.Node, layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
        layer = dense(layer)
        user = next(iter(node.users))
        if role(user, self.model) is not Role.NORM:
            return layer
        norm: Any = self.model.get_submodule(str(user.target))
        return (
            fuse_conv_bn_eval(layer, norm)
            if isinstance(layer, nn.Conv2d)
            else fuse_linear_bn_eval(layer, norm)
        )

    def _mean(
        self, node: fx.Node, module: nn.Module | None, values: Sequence[str], name: str
    ) -> str:
        if isinstance(module, nn.AvgPool2d):
            spans = windows(_pair(module.kernel_size), _pair(module.stride), _pair(module.padding))
            flags = {
                "ceil_mode": int(module.ceil_mode),
                "count_include_pad": int(module.count_include_pad),
            }
            return self.graph.node("AveragePool", values, name, {**spans, **flags})
        size, result = _shape(node.all_input_nodes[0])[2:], _shape(node)[2:]
        if result == (1, 1):
            return self.graph.node("GlobalAveragePool", values, name)
        kernel = size[0] // result[0], size[1] // result[1]
        if (
            node.target is functional.avg_pool2d
            or (kernel[0] * result[0], kernel[1] * result[1]) != size
        ):
            raise UnsupportedError(
                f"{name!r} must pool windows of one size; use nn.AvgPool2d, or nn.AdaptiveAvgPool2d to a divisor"
            )
        return self.graph.node("AveragePool", values, name, windows(kernel, kernel, (0, 0)))


def _pair(value: Any) -> tuple[int, int]:
    first, second = value if isinstance(value, (tuple, list)) else (value, value)
    return int(first), int(second)


def _layer(graph: Graph, layer: nn.Conv2d | nn.Linear, values: Sequence[str], name: str) -> str:
    weights = [tensor for tensor in (layer.weight, layer.bias) if tensor is not None]
    constants = [
        graph.constant(tensor.numpy(), f"{name}.{part}")
        for tensor, part in zip(weights, ("weight", "bias"), strict=False)
    ]
    if isinstance(layer, nn.Linear):
        return graph.node("Gemm", [*values, *constants], name, {"transB": 1})
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise UnsupportedError(
            f"{name!r} must pad with a number of zeros, but has {layer.padding_mode!r}, {layer.padding!r}"
        )
    spans = windows(_pair(layer.kernel_size), _pair(layer.stride), _pair(layer.padding))
    return graph.node(
        "Conv",
        [*values, *constants],
        name,
        {**spans, "dilations": _pair(layer.dilation), "group": layer.groups},
    )


def _kept(
    graph: Graph, module: nn.Module | None, node: fx.Node, values: Sequence[str], name: str
) -> str:
    if isinstance(module, nn.MaxPool2d):
        spans = windows(_pair(module.kernel_size), _pair(module.stride), _pair(module.padding))
        return graph.node(
            "MaxPool",
            values,
            name,
            {**spans, "dilations": _pair(module.dilation), "ceil_mode": int(module.ceil_mode)},
        )
    if isinstance(module, Select):
        return graph.node(
            "Gather",
            [*values, graph.constant(module.indices.numpy(), f"{name}.indices")],
            name,
            {"axis": 1},
        )
    if isinstance(module, nn.UpsamplingNearest2d):
        return enlarged(
            graph, values[0], name, _shape(node)[2] // _shape(node.all_input_nodes[0])[2]
        )
    if _shape(node) == _shape(node.all_input_nodes[0]):
        return values[0]
    if node.target is functional.max_pool2d:
        raise UnsupportedError(f"{name!r} must be a module, nn.MaxPool2d, but is a function")
    return graph.node("Flatten", values, name)
