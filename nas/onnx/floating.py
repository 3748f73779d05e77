"""Float networks as ONNX, to compare integer programs with."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from onnx import ModelProto
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn.utils import fuse_conv_bn_eval, fuse_linear_bn_eval

from nas.layers import WeightLayer
from nas.lowering.groups import module_of
from nas.onnx.float_call import FloatCall, shape_of
from nas.onnx.graph import INPUT, Graph
from nas.onnx.joins import float_add, float_concat, float_mul
from nas.onnx.layers import float_affine, float_layer
from nas.onnx.moves import float_move, float_rearrangement
from nas.onnx.pointwise import float_function
from nas.onnx.pooling import float_mean
from nas.quantize import (
    ActivationQuantizer,
    Role,
    UnsupportedError,
    dense,
    insert_quantizers,
    role,
)
from nas.quantize.rearrangements import is_read, is_rearrangement, is_size, rearrangement
from nas.tracing import independent_copy

_JOINS = (Role.SUM, Role.PRODUCT, Role.CONCAT)


def _first(_: Graph, call: FloatCall) -> str:
    return call.inputs[0]


_WRITERS: Mapping[Role | None, Callable[[Graph, FloatCall], str]] = {
    Role.LAYER: float_layer,
    Role.NORM: float_affine,  # where it is folded into no layer
    Role.AFFINE: float_affine,
    Role.SUM: float_add,
    Role.PRODUCT: float_mul,
    Role.CONCAT: float_concat,
    Role.MEAN: float_mean,
    Role.CLAMP: float_function,
    Role.UNARY: float_function,
    Role.KEEP: float_move,
    None: _first,  # a quantizer
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
    traced = independent_copy(model).eval()
    if not any(isinstance(module, ActivationQuantizer) for module in traced.modules()):
        traced = insert_quantizers(traced, 8, example=example)
    assert isinstance(traced, fx.GraphModule)
    graph, names = Graph(), dict[fx.Node, str]()
    with torch.no_grad():
        ShapeProp(traced).propagate(example[:2].clone())
        for node in traced.graph.nodes:
            if node.op == "placeholder":
                names[node] = INPUT
            elif node.op in ("output", "get_attr") or is_size(node):
                continue
            elif role(node, traced) is Role.NORM and _folded(node.all_input_nodes[0], traced):
                names[node] = names[node.all_input_nodes[0]]
            elif is_rearrangement(node, traced):
                if is_read(node, traced):
                    found = rearrangement(node, traced, _shapes(names))
                    names[node] = float_rearrangement(graph, node, names[found.source], found.steps)
            else:
                sources = _inputs(node, traced)
                inputs, shapes = [names[source] for source in sources], map(shape_of, sources)
                call = FloatCall(node, _called(node, traced), inputs, tuple(shapes))
                names[node] = _WRITERS[role(node, traced)](graph, call)
    (end,) = _inputs(next(iter(reversed(traced.graph.nodes))), traced)
    if len(shape_of(end)) != 2:
        raise UnsupportedError(f"a network must give [N, classes], but gives {shape_of(end)}")
    return graph.model(names[end], "network", tuple(example.shape[1:]), shape_of(end)[1])


def _shapes(names: Mapping[fx.Node, str]) -> Callable[[fx.Node], tuple[int, ...] | None]:
    """The shapes, without the batch, of the nodes that have a name."""
    return lambda node: shape_of(node)[1:] if node in names else None


def _inputs(node: fx.Node, traced: fx.GraphModule) -> list[fx.Node]:
    """The tensors that a node reads, with repetitions."""
    tensors: list[Any] = (
        list(node.args[0]) if isinstance(node.args[0], (list, tuple)) else list(node.args)
    )
    if role(node, traced) not in _JOINS:
        del tensors[1:]
    if node.kwargs.get("alpha", 1) != 1 or not all(
        isinstance(tensor, fx.Node) for tensor in tensors
    ):
        raise UnsupportedError(
            f"{node.name!r} must read tensors that the network computes, but reads {tensors}"
        )
    return tensors


def _called(node: fx.Node, traced: fx.GraphModule) -> Any:
    """What a node calls; a layer of plain weights, batch normalization folded in, for any layer."""
    module = module_of(node, traced)
    if not isinstance(module, WeightLayer):
        return node.target if module is None else module
    plain = dense(module)
    if not _folded(node, traced):
        return plain
    norm: Any = module_of(next(iter(node.users)), traced)
    return (
        fuse_linear_bn_eval(plain, norm)
        if isinstance(plain, nn.Linear)
        else fuse_conv_bn_eval(plain, norm)
    )


def _folded(node: fx.Node, traced: fx.GraphModule) -> bool:
    """Whether a node is a layer with a batch normalization behind it that nothing else precedes."""
    users = list(node.users)
    return (
        role(node, traced) is Role.LAYER and len(users) == 1 and role(users[0], traced) is Role.NORM
    )
