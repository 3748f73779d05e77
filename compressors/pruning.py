"""Structured pruning: channels leave the network, together with everything that depended on them."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch_pruning
from torch import Tensor, nn

from nas.compress import layers_at

RELATIVE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Cut:
    """The channels `indices` of the `width` that `layer` puts out, to be removed with all that is tied to them."""

    layer: nn.Module
    width: int
    indices: tuple[int, ...]


@dataclass(frozen=True)
class ChannelPruning:
    """Removes the chosen share of the output channels of the layers at each site, those of smallest L2 norm first.

    Channels that the network ties together, by residual sums or depthwise convolutions, leave as one group; which they
    are comes from Torch-Pruning's dependency graph (Fang et al., 2023). A width of C becomes C - floor(ratio · C). The
    layers that give the logits keep their channels. Where two sites hold the same layer, the inner one decides.
    """

    kind: str = "prune"

    def apply(self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor) -> nn.Module:
        """The smaller network.

        Raises:
            ValueError: if a ratio is not in [0, 1), if tied layers have different ratios, or if removing the channels of
                this network is not the same as setting them to zero.
        """
        ratios: dict[nn.Module, float] = {}
        for site in sorted(settings, key=len):
            ratio = _check_ratio(settings[site], site)
            ratios |= dict.fromkeys(layers_at(model, site).values(), ratio)
        if not any(ratios.values()):
            return model
        model.eval()
        graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=example[:2])
        names = {module: name for name, module in model.named_modules()}
        cuts = [cut for group in graph.get_all_groups() if (cut := _plan(graph, group, ratios, names)) is not None]
        _mask(graph, cuts)
        with torch.no_grad():
            masked = model(example)
        _remove(graph, cuts, names)
        with torch.no_grad():
            _check_same(masked, model(example))
        return model


def _check_ratio(ratio: Hashable, site: str) -> float:
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0.0 <= ratio < 1.0:
        raise ValueError(f"a pruning ratio must be at least 0 and below 1, but got {ratio!r} at {site!r}")
    return float(ratio)


def _plan(graph: Any, group: Any, ratios: Mapping[nn.Module, float], names: Mapping[nn.Module, str]) -> Cut | None:
    """What to cut from one group of tied channels; None where its channels stay."""
    outputs = [dep.target.module for dep, _ in group if graph.is_out_channel_pruning_fn(dep.handler)]
    consumed = any(graph.is_in_channel_pruning_fn(dep.handler) for dep, _ in group)
    producers = dict.fromkeys(layer for layer in outputs if isinstance(layer, (nn.Conv2d, nn.Linear)) and not _is_depthwise(layer))
    wanted = {names[layer]: ratios.get(layer) for layer in producers}
    # Channels that no layer consumes are the network's outputs.
    if not consumed or not any(wanted.values()):
        return None
    if len(set(wanted.values())) > 1:
        raise ValueError(f"layers whose channels are tied must have one pruning ratio, but got {wanted}")
    layer = next(iter(producers))
    width = int(graph.get_out_channels(layer))
    keep = width - math.floor(ratios[layer] * width)
    importance = torch_pruning.importance.GroupMagnitudeImportance(p=2)(group)
    removed = importance.argsort(stable=True)[: width - keep]
    return Cut(layer, width, tuple(sorted(removed.tolist())))


def _is_depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1


def _group(graph: Any, cut: Cut) -> Any:
    return graph.get_pruning_group(cut.layer, graph.get_pruner_of_module(cut.layer).prune_out_channels, list(cut.indices))


def _mask(graph: Any, cuts: Sequence[Cut]) -> None:
    """Sets the channels to zero where they are made: what removing them has to be equal to."""
    with torch.no_grad():
        for cut in cuts:
            for dep, indices in _group(graph, cut):
                if graph.is_out_channel_pruning_fn(dep.handler):
                    for parameter in dep.target.module.parameters(recurse=False):
                        parameter[indices] = 0.0


def _remove(graph: Any, cuts: Sequence[Cut], names: Mapping[nn.Module, str]) -> None:
    for cut in cuts:
        if cut.indices:
            _group(graph, cut).prune()
        achieved, expected = graph.get_out_channels(cut.layer), cut.width - len(cut.indices)
        if achieved != expected:
            raise ValueError(f"pruning must leave {expected} of {cut.width} channels, but left {achieved} at {names[cut.layer]!r}")


def _check_same(masked: Tensor, shrunk: Tensor) -> None:
    if masked.shape != shrunk.shape:
        raise ValueError(f"pruning must keep the shape of the outputs, {tuple(masked.shape)}, but got {tuple(shrunk.shape)}")
    error, scale = float((masked - shrunk).abs().max()), float(masked.abs().max())
    if not error <= RELATIVE_TOLERANCE * max(scale, 1.0):
        raise ValueError(
            f"removing channels must give the outputs that zeroed channels give, but they differ by {error:.3g} (of {scale:.3g}): "
            "the network mixes channels in a way that cannot be pruned, such as a channel shuffle; leave its sites out"
        )
