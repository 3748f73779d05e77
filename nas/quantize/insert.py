"""Quantizers placed exactly where the integer program has integers."""

from collections.abc import Iterator, Mapping

from torch import fx, nn

from nas.quantize.activation_quantizers import FusedReLU
from nas.quantize.layers import QuantizedConv2d, QuantizedLinear
from nas.quantize.learned_quantizers import Activations, activation_quantizer
from nas.quantize.roles import Role, UnsupportedError, role
from nas.quantize.select import Select
from nas.quantize.shared import PositiveNorm1d, PositiveNorm2d, SharedConv2d, SharedLinear

# Layers that are not torch's own, which are not traced into.
_WHOLE = (
    QuantizedConv2d,
    QuantizedLinear,
    SharedConv2d,
    SharedLinear,
    PositiveNorm1d,
    PositiveNorm2d,
    Select,
)
_RESULTS = (Role.LAYER, Role.SUM, Role.PRODUCT, Role.CONCAT, Role.MEAN, Role.UNARY)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _WHOLE) or super().is_leaf_module(m, module_qualified_name)


def traced_network(model: nn.Module) -> fx.GraphModule:
    """`model` traced, quantized layers left whole; modules are shared with it.

    Raises:
        UnsupportedError: if torch.fx cannot trace the network.
    """
    try:
        graph = _Tracer().trace(model)
    except (fx.proxy.TraceError, TypeError, RuntimeError) as error:
        raise UnsupportedError(
            f"a network must be traceable by torch.fx, without branches on values, but: {error}"
        ) from error
    return fx.GraphModule(model, graph, type(model).__name__)


def insert_quantizers(
    model: nn.Module, bits: int, activations: Activations = "widest"
) -> fx.GraphModule:
    """`model` traced, with a `ActivationQuantizer` behind its input and each result: a layer with
    what is fused into it, a sum, a mean, …

    The layers keep their names; the ranges are in `ranges`, named after the node that they follow.
    Modules are shared with `model`.

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
    """
    traced = traced_network(model)
    fused = dict(_fused(traced))
    names = _range_names(fused, traced)
    rectified = _rectified(names, traced)
    ranges = {
        name: activation_quantizer(bits, activations, rectified=name in rectified)
        for name in names.values()
    }
    traced.add_module("ranges", nn.ModuleDict(ranges))
    for end, name in names.items():
        if name in rectified:
            traced.set_submodule(str(end.target), FusedReLU())
        with traced.graph.inserting_after(end):
            quantized = traced.graph.call_module(f"ranges.{name}", (end,))
        for user in [user for user in end.users if user is not quantized]:
            user.replace_input_with(end, quantized)
    traced.recompile()
    return traced


def _fused(traced: fx.GraphModule) -> Iterator[tuple[fx.Node, fx.Node]]:
    """The last and the first node of each group of operations that give one tensor of the program."""
    inner = set[fx.Node]()
    for node in traced.graph.nodes:
        found = role(node, traced)
        if node in inner:
            continue
        if found is Role.NORM:
            raise UnsupportedError(
                f"{str(node.target)!r}: batch normalization must follow a convolution or linear layer that nothing else reads"
            )
        if node.op == "placeholder" or found in _RESULTS or found is Role.CLAMP:
            end = node
            while (following := _only_user(end)) is not None and role(
                following, traced
            ) in _fusible(end, found, traced):
                end = following
                inner.add(end)
            yield end, node


def _fusible(end: fx.Node, first: Role | None, traced: fx.GraphModule) -> tuple[Role, ...]:
    if first in (None, Role.UNARY, Role.CLAMP):
        return ()
    return (Role.NORM, Role.CLAMP) if role(end, traced) is Role.LAYER else (Role.CLAMP,)


def _only_user(node: fx.Node) -> fx.Node | None:
    users = list(node.users)
    return users[0] if len(users) == 1 and users[0].op != "output" else None


def _range_names(fused: Mapping[fx.Node, fx.Node], traced: fx.GraphModule) -> dict[fx.Node, str]:
    """The range of each end. Summands and their sum share one, as do parts and what they are joined
    to: integers then simply add, and nothing is rounded.
    """
    group = {end: [end] for end in fused}
    for end, first in fused.items():
        if role(first, traced) in (Role.SUM, Role.CONCAT):
            for source in first.all_input_nodes:
                while role(source, traced) is Role.KEEP:
                    source = source.all_input_nodes[0]
                if source in group and group[source] is not group[end]:
                    group[source].extend(group[end])
                    group.update(dict.fromkeys(group[end], group[source]))
    return {end: group[end][0].name for end in fused}


def _rectified(names: Mapping[fx.Node, str], traced: fx.GraphModule) -> set[str]:
    """The ranges of which every end is a ReLU that nothing calls but in front of such a range."""
    calls = [node for node in traced.graph.nodes if node.op == "call_module"]
    plain = {node for node in calls if type(traced.get_submodule(str(node.target))) is nn.ReLU}
    others = {name for end, name in names.items() if end not in plain}
    found = set(names.values()) - others
    fused = {node for node in plain if names.get(node) in found}
    modules = {node: traced.get_submodule(str(node.target)) for node in plain}
    kept = {modules[node] for node in plain - fused}
    return found - {names[node] for node in fused if modules[node] in kept}
