"""Changing the graph of a traced network."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import fx, nn


def called(node: fx.Node, traced: nn.Module) -> nn.Module | None:
    """The module that a node of a traced network calls; None where it calls a function or a method."""
    return module_at(traced, str(node.target)) if node.op == "call_module" else None


def module_at(model: nn.Module, name: str) -> nn.Module:
    """The module with a dotted name, in a tenth of the time of `get_submodule`."""
    for part in name.split("."):
        found = model._modules[part]
        assert found is not None
        model = found
    return model


@contextmanager
def rewriting(traced: fx.GraphModule) -> Iterator[None]:
    """A context that may change the graph of a network in place: its code is written anew where it did.

    Code takes as long to write as a small network to trace.
    """
    before = _contents(traced.graph)
    yield
    if _contents(traced.graph) != before:
        traced.recompile()


def _contents(graph: fx.Graph) -> list[tuple[Any, ...]]:
    """What the code of a graph follows from; nodes are equal only to themselves."""
    return [(node, node.op, node.target, node.args, node.kwargs, node.name) for node in graph.nodes]


def traced_again(traced: fx.GraphModule) -> fx.GraphModule:
    """A traced network as tracing it again gives it: its nodes are named after what they call, in their
    order, and its modules are in the order of the graph. It is `traced` itself where that is so already.
    """
    graph, copies = fx.Graph(tracer_cls=traced.graph._tracer_cls), dict[fx.Node, fx.Node]()
    for node in traced.graph.nodes:
        args, kwargs = fx.map_arg((node.args, node.kwargs), copies.__getitem__)
        copies[node] = graph.create_node(node.op, node.target, args, kwargs)
    names = [(node.name, node.name == copy.name) for node, copy in copies.items()]
    if all(same for _, same in names) and _ordered(traced):
        return traced
    return fx.GraphModule(traced, graph, type(traced).__name__)


def _ordered(traced: fx.GraphModule) -> bool:
    """Whether modules are registered in the order in which the graph calls them."""
    names = [str(node.target) for node in traced.graph.nodes if node.op == "call_module"]
    calls = list(dict.fromkeys(names))
    return [name for name, _ in traced.named_modules() if name in set(calls)] == calls
