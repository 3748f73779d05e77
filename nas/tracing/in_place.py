"""In-place operations of a traced network, made operations that give a new tensor.

A graph says which node gives a tensor, not what else sees its memory. After `y = x; relu_(y)` what
reads `x` gets what the ReLU left there, so its readers must read the node of the ReLU instead.
"""

import copy
import inspect
import operator
from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from nas.tracing.rewriting import called, module_at
from nas.tracing.unsupported import UnsupportedError

_OPERATORS: dict[Any, Any] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}
_SAME = (nn.Identity, nn.modules.dropout._DropoutNd)
_SAME_FUNCTIONS = (
    *(functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d),
    *(functional.alpha_dropout, functional.feature_alpha_dropout),
)
_VIEW_MODULES = (nn.Flatten, nn.Unflatten)
_VIEWS = {
    *("flatten", "view", "reshape", "transpose", "permute", "squeeze", "unsqueeze", "expand"),
    *("chunk", "split", "narrow", "select", "unbind", "detach", "t", "swapaxes", "unflatten"),
    *("view_as", "expand_as", "reshape_as", "to", "float", "contiguous", "tensor_split", "getitem"),
    *("movedim", "moveaxis", "ravel", "diagonal", "swapdims", "split_with_sizes", "mT", "T"),
}


@dataclass
class _Memory:
    """The memory of a tensor: how often it was written, by what last, and as which tensor."""

    writes: int = 0
    writer: fx.Node | None = None
    written: fx.Node | None = None


def without_in_place(traced: fx.GraphModule) -> None:
    """Rewrites a traced network, in place, so that no operation changes a tensor and each reader gets
    what it gets when the network runs in evaluation mode.

    Modules with `inplace=True` are replaced by copies of which that is False.

    Raises:
        UnsupportedError: if a tensor is read after another view of its memory was changed.
    """
    flagged = _flagged(traced)
    memory = dict[fx.Node, _Memory]()
    tensor = dict[fx.Node, fx.Node]()  # the first node that gives the very same tensor
    seen = dict[fx.Node, int]()  # how often the memory had been written when a node gave it
    for node in traced.graph.nodes:
        for read in node.all_input_nodes:
            place = memory[read]
            if seen[read] == place.writes:
                continue
            assert place.writer is not None
            if place.written is not tensor[read]:
                raise UnsupportedError(
                    f"a tensor must not be read after another view of it was changed in place, but {node.name!r} reads "
                    f"{read.name!r} after {place.writer.name!r}; use inplace=False there"
                )
            node.replace_input_with(read, place.writer)
        source = node.all_input_nodes[0] if node.all_input_nodes else None
        kept = source is not None and _gives_its_input(node, traced)
        changed = source is not None and not kept and _changes(node, flagged)
        memory[node], tensor[node] = _Memory(), node
        if source is not None and (kept or changed):
            memory[node], tensor[node] = memory[source], tensor[source]
        elif source is not None and _is_view(node, traced):
            memory[node] = memory[source]
        if changed:
            memory[node].writes += 1
            memory[node].writer, memory[node].written = node, tensor[node]
        seen[node] = memory[node].writes
    for target in flagged:
        changing = copy.copy(module_at(traced, target))
        changing.__dict__["inplace"] = False
        traced.set_submodule(target, changing)


def _flagged(traced: fx.GraphModule) -> set[str]:
    """The names of the modules that are called and change what they read."""
    called = {str(node.target) for node in traced.graph.nodes if node.op == "call_module"}
    return {target for target in called if getattr(module_at(traced, target), "inplace", False)}


def _name(node: fx.Node) -> str:
    if isinstance(node.target, str):
        return node.target
    return str(getattr(node.target, "__name__", ""))


def _gives_its_input(node: fx.Node, traced: fx.GraphModule) -> bool:
    """Whether what a node gives, in evaluation mode, is the tensor that it reads."""
    if node.target in _SAME_FUNCTIONS:
        return not _argument(node, "training")
    return isinstance(called(node, traced), _SAME)


def _is_view(node: fx.Node, traced: fx.GraphModule) -> bool:
    """Whether what a node gives may share the memory of what it reads."""
    if (module := called(node, traced)) is not None:
        return isinstance(module, _VIEW_MODULES)
    return node.op in ("call_function", "call_method") and _name(node) in _VIEWS


def _changes(node: fx.Node, flagged: Set[str]) -> bool:
    """Whether a node changed the tensor that it reads; a function or method is then another, which
    gives a new one.
    """
    if node.op == "call_module":
        return str(node.target) in flagged
    if node.target in _OPERATORS:
        node.target = _OPERATORS[node.target]
        return True
    name = _name(node)
    if node.op == "call_method" and name.endswith("_") and not name.endswith("__"):
        node.target = name[:-1]
        return True
    if node.op != "call_function":
        return False
    if name.endswith("_") and not name.endswith("__"):
        plain = getattr(functional, name[:-1], None) or getattr(torch, name[:-1], None)
        if plain is None:
            raise UnsupportedError(
                f"an operation that changes a tensor must have a form that does not, but {node.name!r} calls {name}"
            )
        node.target = plain
        return True
    return _without_flag(node)


def _without_flag(node: fx.Node) -> bool:
    """Whether a function was called with inplace=True; it is then called without."""
    if not _argument(node, "inplace"):
        return False
    if "inplace" in node.kwargs:
        node.kwargs = {**node.kwargs, "inplace": False}
    else:
        at = _parameters(node).index("inplace")
        node.args = (*node.args[:at], False, *node.args[at + 1 :])
    return True


def _argument(node: fx.Node, name: str) -> Any:
    """What a function of Python's is called with under a name; None if it has no such parameter."""
    if name in node.kwargs:
        return node.kwargs[name]
    names = _parameters(node)
    if name not in names:
        return None
    at = names.index(name)
    if at < len(node.args):
        return node.args[at]
    assert callable(node.target)
    return inspect.signature(node.target).parameters[name].default


def _parameters(node: fx.Node) -> tuple[str, ...]:
    return _names(node.target)


@lru_cache(256)
def _names(function: Any) -> tuple[str, ...]:
    """The names of the parameters of a function of Python's."""
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ()
