"""A quantized network and its float original, cut into segments that only one tensor enters."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import fx, nn

from nas.layers import WeightLayer
from nas.quantize import ActivationQuantizer, Role, role, traced_network


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of a quantized network, and the same part of the float network: layers, blocks with
    their shortcuts.

    Both read one tensor and give one, and share modules with their networks.
    """

    quantized: fx.GraphModule
    floating: fx.GraphModule


def segments(quantized: nn.Module, floating: nn.Module) -> list[Segment]:
    """The segments of a network that was made from `floating`, in order; each has a layer.

    A network can be cut behind an activation quantizer where nothing else is read later: behind
    each layer of a chain, and behind a residual block.

    Raises:
        ValueError: if `quantized` is not traced, `floating` has other layers, or there are none.
        UnsupportedError: if torch.fx cannot trace `floating`.
    """
    if not isinstance(quantized, fx.GraphModule):
        raise ValueError(
            f"a quantized network must be traced by insert_quantizers(), but got a {type(quantized).__name__}"
        )
    original = floating if isinstance(floating, fx.GraphModule) else traced_network(floating)
    twins = _twins(quantized, original)
    nodes = [node for node in quantized.graph.nodes if node.op != "output"]
    source, found = nodes[0], list[Segment]()
    for end in _ends(quantized, nodes):
        inside = nodes[nodes.index(source) + 1 : nodes.index(end) + 1]
        twin_nodes = list(original.graph.nodes)
        first, last = twin_nodes.index(twins[source]), twin_nodes.index(twins[end])
        found.append(
            Segment(
                _part(quantized, source, inside),
                _part(original, twins[source], twin_nodes[first + 1 : last + 1]),
            )
        )
        source = end
    return found


def _twins(quantized: fx.GraphModule, floating: fx.GraphModule) -> dict[fx.Node, fx.Node]:
    """The node of the float network for each of the quantized one; for a quantizer, that of what it
    rounds.
    """
    calls = [node for node in quantized.graph.nodes if not _is_quantizer(node, quantized)]
    originals = list(floating.graph.nodes)
    if [_call(node, quantized) for node in calls] != [_call(node, floating) for node in originals]:
        known = {_call(node, floating) for node in originals}
        others = [str(node.target) for node in calls if _call(node, quantized) not in known]
        raise ValueError(
            "the float network must be the one that was quantized, normalization folded if it was, but has no counterpart of "
            f"{others or 'some call'}"
        )
    twins = dict(zip(calls, originals, strict=True))
    for node in quantized.graph.nodes:
        if node not in twins:
            twins[node] = twins[node.all_input_nodes[0]]
    return twins


def _call(node: fx.Node, model: fx.GraphModule) -> tuple[object, ...]:
    """What is called, and the shape of its weights: the same in both networks."""
    if node.op in ("placeholder", "output"):
        return (node.op,)
    layer = model.get_submodule(str(node.target)) if node.op == "call_module" else None
    shape = tuple(layer.weight.shape) if isinstance(layer, WeightLayer) else None
    return node.op, node.target, role(node, model), shape


def _ends(quantized: fx.GraphModule, nodes: Sequence[fx.Node]) -> list[fx.Node]:
    """The last node of each segment."""
    place = {node: index for index, node in enumerate(nodes)}
    # The last node that reads each one; what the network gives is read behind all.
    last = [max((place.get(user, len(nodes)) for user in node.users), default=0) for node in nodes]
    ends, layers = list[fx.Node](), False
    for index, node in enumerate(nodes):
        layers = layers or role(node, quantized) is Role.LAYER
        cut = _is_quantizer(node, quantized) and all(reader <= index for reader in last[:index])
        if cut and layers:
            ends.append(node)
            layers = False
    if not ends:
        raise ValueError("a network must have layers to be reconstructed, but has none")
    return [*ends[:-1], nodes[-1]]


def _is_quantizer(node: fx.Node, model: nn.Module) -> bool:
    return node.op == "call_module" and isinstance(
        model.get_submodule(str(node.target)), ActivationQuantizer
    )


def _part(model: fx.GraphModule, source: fx.Node, nodes: Sequence[fx.Node]) -> fx.GraphModule:
    """The function from the tensor of one node to that of the last of `nodes`."""
    graph = fx.Graph()
    copied = {source: graph.placeholder("x")}
    for node in nodes:
        copied[node] = graph.node_copy(node, lambda other: copied[other])
    graph.output(copied[nodes[-1]] if nodes else copied[source])
    return fx.GraphModule(model, graph)
