"""Groups of channels that can only be removed together, and their importances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from compressors.criteria import Importances, PruningCriterion, Side
from nas.layers import Convolution, WeightLayer

Unstated = Literal["refuse", "follow"]
"""What to do with a group if only some of its layers have a pruning ratio: refuse it, or let all of
them follow.

Headers of runs have this name and its values.
"""


@dataclass(frozen=True)
class Group:
    """The output channels that tied layers share.

    Args:
        root: the first of the tied layers
        names: the names of all of them
        width: the number of channels
        value: the chosen ratio or threshold
        importance: of each channel, [width]
        readers: the names of the layers that mix the channels, each with the channel that its
            inputs hold, [in], -1 where they hold one of another group
    """

    root: nn.Module
    names: tuple[str, ...]
    width: int
    value: float
    importance: Tensor
    readers: Mapping[str, Tensor]


def is_depthwise(layer: nn.Module) -> bool:
    """Whether a layer is a depthwise convolution: its channels are those of the layer before it."""
    return (
        isinstance(layer, Convolution)
        and layer.groups == layer.in_channels == layer.out_channels > 1
    )


def groups_of(
    graph: Any,
    chosen: Mapping[str, Mapping[nn.Module, float]],
    names: Mapping[nn.Module, str],
    criterion: PruningCriterion,
    scores: Importances,
    unstated: Unstated,
) -> list[Group]:
    """The groups with a chosen value other than 0, in the order of the network.

    Args:
        graph: the dependency graph of Torch-Pruning
        chosen: for each site, its layers and their values
        names: the name of each module of the network
        criterion: what makes importances of scores
        scores: the criterion's scores of the network
        unstated: whether a group with values at only some of its layers is refused

    Raises:
        ValueError: if a site has only layers that give the logits, tied layers differ in their
            values, channels cannot be told apart, or the criterion has no scores for a group.
    """
    values: dict[nn.Module, float] = {}
    for site in sorted(chosen, key=len):
        values |= chosen[site]
    groups, planned, final = list[Group](), set[nn.Module](), set[nn.Module]()
    for layer in names:
        value = values.get(layer, 0.0)
        if value == 0.0 or layer in planned:
            continue
        if layer not in graph.module2node:
            raise ValueError(
                f"a layer must contribute to the logits to be pruned, but {names[layer]!r} does not"
            )
        width = int(graph.get_out_channels(layer))
        group = tied_to(graph, layer, range(width))
        made = [
            (dep.target, len(indices))
            for dep, indices in group
            if graph.is_out_channel_pruning_fn(dep.handler)
        ]
        tied = {node.module: count for node, count in made if isinstance(node.module, WeightLayer)}
        tied = {module: count for module, count in tied.items() if not is_depthwise(module)}
        planned |= tied.keys()
        if any(not node.outputs for node, _ in made):
            final |= tied.keys()  # nothing reads them: they are the logits
            continue
        _check_group([dep.target.module for dep, _ in group], tied, values, names, unstated)
        members = tuple(name for module, name in names.items() if module in tied)
        importance = _importance(graph, group, members, width, criterion, scores)
        readers = _readers(graph, group, names)
        groups.append(Group(layer, members, width, value, importance, readers))
    for site, layers in chosen.items():
        if layers.keys() <= final:
            found = [names[layer] for layer in layers]
            raise ValueError(
                f"the layers that give the logits keep their channels, but {site!r} has only {found}"
            )
    return groups


def _check_group(
    group: Sequence[nn.Module],
    tied: Mapping[WeightLayer, int],
    values: Mapping[nn.Module, float],
    names: Mapping[nn.Module, str],
    unstated: Unstated,
) -> None:
    """Refuses a group whose removal would be ambiguous; `tied` has the number of channels that each
    layer has in the group.
    """
    wanted = {name: values.get(layer) for layer, name in names.items() if layer in tied}
    if len(set(wanted.values()) - ({None} if unstated == "follow" else set())) > 1:
        raise ValueError(
            f"layers whose channels are tied must have one pruning ratio, but got {wanted}"
        )
    widths = {names[layer]: layer.weight.shape[0] for layer in tied}
    if len(set(widths.values()) | set(tied.values())) > 1:
        raise ValueError(
            f"layers whose channels are tied must have one width, but got {widths}: a sum ties one to a part of another"
        )
    for layer in group:
        if isinstance(layer, Convolution) and layer.groups > 1 and not is_depthwise(layer):
            raise ValueError(
                f"channels at a grouped convolution cannot be pruned unless it is depthwise, "
                f"but {names[layer]!r} has {layer.groups} groups of {layer.in_channels} channels; leave {list(wanted)} out"
            )


def _importance(
    graph: Any,
    group: Any,
    names: Sequence[str],
    width: int,
    criterion: PruningCriterion,
    scores: Importances,
) -> Tensor:
    """The mean of the importances at the layers of a group, [width]."""
    importances = list[Tensor]()
    for item in group.items:
        side: Side = "made" if graph.is_out_channel_pruning_fn(item.dep.handler) else "read"
        score = scores.get((item.dep.target.module, side))
        if score is not None and None not in item.root_idxs:
            rows = _by_channel(score[item.idxs], torch.tensor(item.root_idxs), width)
            importances.append(criterion.of_channel(rows))
    if not importances:
        raise ValueError(
            f"the criterion {criterion.name!r} must have scores for one of the tied layers, but has none for {list(names)}"
        )
    return torch.stack(importances).mean(0)


def _readers(graph: Any, group: Any, names: Mapping[nn.Module, str]) -> dict[str, Tensor]:
    found = dict[str, Tensor]()
    for item in group.items:
        layer = item.dep.target.module
        reads = graph.is_in_channel_pruning_fn(item.dep.handler)
        if reads and isinstance(layer, WeightLayer) and not is_depthwise(layer):
            channels = found.setdefault(names[layer], torch.full((layer.weight.shape[1],), -1))
            channels[torch.tensor(item.idxs)] = torch.tensor(item.root_idxs)
    return found


def _by_channel(rows: Tensor, channels: Tensor, width: int) -> Tensor:
    """The rows of each channel, concatenated, [width, n]: after a flattening, a channel has one row for
    each pixel.
    """
    order = channels.argsort(stable=True)
    channels, counts = channels[order], channels.bincount(minlength=width)
    place = torch.arange(len(channels)) - (counts.cumsum(0) - counts)[channels]
    table = rows.new_zeros(width, int(counts.max()), rows[0].numel())
    table[channels, place] = rows[order].flatten(1) if rows.ndim > 1 else rows[order, None]
    return table.flatten(1)


def tied_to(graph: Any, layer: nn.Module, indices: Sequence[int]) -> Any:
    """What is removed together with these channels of a layer: pairs of a dependency and indices."""
    return graph.get_pruning_group(
        layer, graph.get_pruner_of_module(layer).prune_out_channels, list(indices)
    )
