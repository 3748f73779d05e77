"""Channels that can only leave a network together, and how much they matter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from compressors.criteria import Importances, PruningCriterion, Side

Unstated = Literal["refuse", "follow"]
"""What becomes of a layer that no site holds and that is tied to one for which a value is given."""


@dataclass(frozen=True)
class Group:
    """The `width` channels that the layers called `names` make together; `value` is what was chosen
    for them.
    """

    root: nn.Module
    names: tuple[str, ...]
    width: int
    value: float
    importance: Tensor


def is_depthwise(layer: nn.Module) -> bool:
    """Whether a layer has the channels of the layer before it."""
    return (
        isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels == layer.out_channels > 1
    )


def groups_of(
    graph: Any,
    chosen: Mapping[str, Mapping[nn.Module, float]],
    names: Mapping[nn.Module, str],
    criterion: PruningCriterion,
    scores: Importances,
    unstated: Unstated,
) -> list[Group]:
    """The groups in which something was chosen; for each site, `chosen` has its layers and what was
    chosen for them.

    An `unstated` layer follows the others of its group, or is refused among them.

    Raises:
        ValueError: if a site has only layers that give the logits, tied layers differ in what was
            chosen, channels cannot be told apart, or the criterion has nothing to judge.
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
                f"a layer must take part in the logits to be pruned, but {names[layer]!r} does not"
            )
        width = int(graph.get_out_channels(layer))
        group = tied_to(graph, layer, range(width))
        made = [
            (dep.target, len(indices))
            for dep, indices in group
            if graph.is_out_channel_pruning_fn(dep.handler)
        ]
        tied = {
            node.module: count
            for node, count in made
            if isinstance(node.module, (nn.Conv2d, nn.Linear))
        }
        tied = {module: count for module, count in tied.items() if not is_depthwise(module)}
        planned |= tied.keys()
        if any(not node.outputs for node, _ in made):
            final |= tied.keys()  # what nothing reads are the logits
            continue
        _check_group([dep.target.module for dep, _ in group], tied, values, names, unstated)
        called = tuple(name for module, name in names.items() if module in tied)
        groups.append(
            Group(
                layer,
                called,
                width,
                value,
                _importance(graph, group, called, width, criterion, scores),
            )
        )
    for site, layers in chosen.items():
        if layers.keys() <= final:
            found = [names[layer] for layer in layers]
            raise ValueError(
                f"the layers that give the logits keep their channels, but {site!r} has only {found}"
            )
    return groups


def _check_group(
    group: Sequence[nn.Module],
    tied: Mapping[nn.Conv2d | nn.Linear, int],
    values: Mapping[nn.Module, float],
    names: Mapping[nn.Module, str],
    unstated: Unstated,
) -> None:
    """Refuses channels whose removal would be ambiguous; `tied` has for each layer how many of its
    channels are in the group.
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
        if isinstance(layer, nn.Conv2d) and layer.groups > 1 and not is_depthwise(layer):
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
    """The mean of what the layers of a group say, [width]."""
    found = list[Tensor]()
    for item in group.items:
        side: Side = "made" if graph.is_out_channel_pruning_fn(item.dep.handler) else "read"
        score = scores.get((item.dep.target.module, side))
        if score is not None and None not in item.root_idxs:
            found.append(
                criterion.of_channel(
                    _by_channel(score[item.idxs], torch.tensor(item.root_idxs), width)
                )
            )
    if not found:
        raise ValueError(
            f"the criterion {criterion.name!r} must find something to judge at tied layers, but not at {list(names)}"
        )
    return torch.stack(found).mean(0)


def _by_channel(rows: Tensor, channels: Tensor, width: int) -> Tensor:
    """All rows of each channel side by side, [width, n]: where an image was flattened, a channel
    has one for each pixel.
    """
    order = channels.argsort(stable=True)
    channels, counts = channels[order], channels.bincount(minlength=width)
    place = torch.arange(len(channels)) - (counts.cumsum(0) - counts)[channels]
    table = rows.new_zeros(width, int(counts.max()), rows[0].numel())
    table[channels, place] = rows[order].flatten(1) if rows.ndim > 1 else rows[order, None]
    return table.flatten(1)


def tied_to(graph: Any, layer: nn.Module, indices: Sequence[int]) -> Any:
    """What leaves with these channels of a layer: pairs of a dependency and indices."""
    return graph.get_pruning_group(
        layer, graph.get_pruner_of_module(layer).prune_out_channels, list(indices)
    )
