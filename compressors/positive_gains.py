"""Gains of batch normalization made positive: signs move into the layers before it."""

import copy
from collections.abc import Set
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from nas.layers import WeightLayer, replace_modules
from nas.quantize import negate_channels, traced_network, with_positive_gains
from nas.quantize.positive_norm import Norm
from nas.tracing import check_same_outputs


@dataclass(frozen=True)
class _Tied:
    """Layers and the normalizations that read them, whose signs can only be turned together."""

    layers: frozenset[WeightLayer]
    norms: frozenset[Norm]


def make_gains_positive(
    model: nn.Module, layers: Set[nn.Module], example: Tensor | None
) -> nn.Module:
    """`model`, changed in place, with gains that are positive and stay so in training in every batch
    normalization that reads one of `layers`.

    Where a gain is negative, the channel before it is negated. On `example`, [N, …], the outputs are
    then compared with those before. Where a channel cannot be negated, because something else reads
    it or its weights are another layer's too, gains stay as they are: a program then needs the
    negative of each value as well, and its file is longer.

    Raises:
        UnsupportedError: if torch.fx cannot trace the network.
    """
    traced = model if isinstance(model, fx.GraphModule) else traced_network(model)
    all_tied = [
        tied
        for tied in _tied(traced)
        if not layers.isdisjoint(tied.layers) and _can_be_positive(tied, traced)
    ]
    turned = any(_is_negative(norm) for tied in all_tied for norm in tied.norms)
    original = copy.deepcopy(model) if turned and example is not None else None
    replacements: dict[nn.Module, nn.Module] = {}
    for tied in all_tied:
        signs = torch.where(next(iter(tied.norms)).weight < 0, -1.0, 1.0)
        for layer in tied.layers:
            negate_channels(layer, signs)
        replacements |= {norm: with_positive_gains(norm, signs) for norm in tied.norms}
    changed = replace_modules(model, replacements)
    if original is not None and example is not None:
        check_same_outputs(original, changed, example, "given positive gains")
    return changed


def _is_negative(norm: Norm) -> bool:
    return bool((norm.weight < 0).any())


def _tied(traced: fx.GraphModule) -> list[_Tied]:
    """The layers that batch normalizations with gains read, with all normalizations that share a
    layer.
    """
    called = _called(traced)
    found = list[_Tied]()
    for node, norm in called.items():
        layer = called.get(node.all_input_nodes[0])
        if isinstance(norm, Norm) and norm.affine and isinstance(layer, WeightLayer):
            layers, norms = frozenset({layer}), frozenset({norm})
            for tied in [tied for tied in found if layer in tied.layers or norm in tied.norms]:
                layers, norms = layers | tied.layers, norms | tied.norms
                found.remove(tied)
            found.append(_Tied(layers, norms))
    return found


def _called(traced: fx.GraphModule) -> dict[fx.Node, nn.Module]:
    nodes = [node for node in traced.graph.nodes if node.op == "call_module"]
    return {node: traced.get_submodule(str(node.target)) for node in nodes}


def _can_be_positive(tied: _Tied, traced: fx.GraphModule) -> bool:
    """Whether all gains are positive, or negating the channels before them makes them so and changes
    nothing else.
    """
    if not any(map(_is_negative, tied.norms)):
        return True
    called = _called(traced)
    signs = [norm.weight < 0 for norm in tied.norms]
    readers = {
        user for node, module in called.items() if module in tied.layers for user in node.users
    }
    sources = {node.all_input_nodes[0] for node, module in called.items() if module in tied.norms}
    return (
        all(torch.equal(signs[0], others) for others in signs)
        and all(called.get(reader) in tied.norms for reader in readers)
        and all(called.get(source) in tied.layers for source in sources)
        and all(_owners(layer.weight, traced) == 1 for layer in tied.layers)
    )


def _owners(weight: Tensor, model: nn.Module) -> int:
    return sum(
        any(parameter is weight for parameter in module.parameters(recurse=False))
        for module in model.modules()
    )
