"""Calls of a traced network with their tensors in places, not under names."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch.fx.operator_schemas import get_signature_for_torch_op

from nas.tracing.rewriting import module_at


def place_arguments(traced: fx.GraphModule) -> None:
    """Moves arguments given by name to their places, as far as those before them are there too:
    `conv(input=x)` becomes `conv(x)`, in place.
    """
    for node in traced.graph.nodes:
        if node.kwargs:
            for names in _parameters(node, traced):
                if all(name in names for name in node.kwargs):
                    _place(node, names)
                    break


def _place(node: fx.Node, names: list[str]) -> None:
    args, given = list(node.args), dict(node.kwargs)
    # A shape or a flag stays under its name: what reads a graph looks for it there.
    last = max((at for at, name in enumerate(names) if _holds_node(given.get(name))), default=-1)
    for name in names[len(args) : last + 1]:
        if name not in given:
            return
        args.append(given.pop(name))
    node.args, node.kwargs = tuple(args), given


def _holds_node(value: Any) -> bool:
    found = list[fx.Node]()
    fx.map_arg(value, found.append)
    return bool(found)


def _parameters(node: fx.Node, traced: fx.GraphModule) -> list[list[str]]:
    """The names of the parameters of what a node calls, for each of its signatures."""
    if node.op == "call_module":
        return [_names(module_at(traced, str(node.target)).forward)]
    target = getattr(torch, str(node.target), None) if node.op == "call_method" else node.target
    if not callable(target):
        return []
    signatures = get_signature_for_torch_op(target)
    if signatures is not None:
        return [list(signature.parameters) for signature in signatures]
    return [_names(target)]


def _names(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []
