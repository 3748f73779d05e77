"""Channels that can only leave a network together, and how they leave it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch_pruning
from torch import Tensor, nn

from compressors.criteria import Criterion, Scores, Side
from nas.mask import WeightMask

TOLERANCE_OF_RESPONSE, TOLERANCE_OF_OUTPUT = 1e-3, 1e-6
ADVICE = (
    "the network reorders channels, mixes them or makes something of a zero, as shuffles, layer normalisation and sigmoids do: "
    "leave its sites out"
)


@dataclass(frozen=True)
class Group:
    """The `width` channels that the layers called `names` make together; `value` is what was chosen for them."""

    root: nn.Module
    names: tuple[str, ...]
    width: int
    value: float
    importance: Tensor


Selection = Callable[[Sequence[Group]], Sequence[Sequence[int]]]
"""The channels of each group that leave."""


def is_depthwise(layer: nn.Module) -> bool:
    """Whether a layer has the channels of the layer before it."""
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels == layer.out_channels > 1


def shrink(
    model: nn.Module,
    chosen: Mapping[str, Mapping[nn.Module, float]],
    example: Tensor,
    criterion: Criterion,
    select: Selection,
) -> nn.Module:
    """`model` without the selected channels; for each site, `chosen` has its layers and what was chosen for them.

    Which channels are tied comes from Torch-Pruning's dependency graph (Fang et al., 2023).

    Raises:
        ValueError: if the network has masks, a site has only layers that give the logits, tied layers differ in what was
            chosen, or removing the channels is not the same as setting them to zero.
    """
    if any(isinstance(module, WeightMask) for module in model.modules()):
        raise ValueError("channels must be removed before single weights, but the network has masks")
    model.eval()
    with torch.enable_grad():  # it follows what autograd records
        graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=(example[:2],), verbose=False)
    names = {module: name for name, module in model.named_modules()}
    # The sample of zeros tells what biases alone make the network say; the one of ones answers where examples are zeros.
    probe = torch.cat([example, torch.ones_like(example[:1]), torch.zeros_like(example[:1])])
    try:
        groups = _groups(graph, chosen, names, criterion, criterion.judged(model, example))
        cuts = list(zip(groups, select(groups), strict=True))
        masked = _masked(model, graph, cuts, probe)
        _remove(graph, cuts)
        with torch.no_grad():
            shrunk = model(probe)
    except (IndexError, RuntimeError) as error:
        raise ValueError(f"a network must run without the removed channels, but: {error}; {ADVICE}") from error
    _check_same(masked, shrunk)
    return model


def _groups(
    graph: Any,
    chosen: Mapping[str, Mapping[nn.Module, float]],
    names: Mapping[nn.Module, str],
    criterion: Criterion,
    scores: Scores,
) -> list[Group]:
    values: dict[nn.Module, float] = {}
    for site in sorted(chosen, key=len):
        values |= chosen[site]
    groups, planned, final = list[Group](), set[nn.Module](), set[nn.Module]()
    for layer in names:
        value = values.get(layer, 0.0)
        if value == 0.0 or layer in planned:
            continue
        if layer not in graph.module2node:
            raise ValueError(f"a layer must take part in the logits to be pruned, but {names[layer]!r} does not")
        width = int(graph.get_out_channels(layer))
        group = _tied(graph, layer, range(width))
        made = [(dep.target, len(indices)) for dep, indices in group if graph.is_out_channel_pruning_fn(dep.handler)]
        tied = {node.module: count for node, count in made if isinstance(node.module, (nn.Conv2d, nn.Linear))}
        tied = {module: count for module, count in tied.items() if not is_depthwise(module)}
        planned |= tied.keys()
        if any(not node.outputs for node, _ in made):
            final |= tied.keys()  # what nothing reads are the logits
            continue
        _check_group([dep.target.module for dep, _ in group], tied, values, names)
        called = tuple(name for module, name in names.items() if module in tied)
        groups.append(Group(layer, called, width, value, _importance(graph, group, called, width, criterion, scores)))
    for site, layers in chosen.items():
        if any(layers.values()) and layers.keys() <= final:
            found = [names[layer] for layer in layers]
            raise ValueError(f"the layers that give the logits keep their channels, but {site!r} has only {found}")
    return groups


def _check_group(
    group: Sequence[nn.Module],
    tied: Mapping[nn.Conv2d | nn.Linear, int],
    values: Mapping[nn.Module, float],
    names: Mapping[nn.Module, str],
) -> None:
    """Refuses channels whose removal would be ambiguous; `tied` has for each layer how many of its channels are in the group."""
    wanted = {name: values.get(layer) for layer, name in names.items() if layer in tied}
    if len(set(wanted.values())) > 1:
        raise ValueError(f"layers whose channels are tied must have one pruning ratio, but got {wanted}")
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


def _importance(graph: Any, group: Any, names: Sequence[str], width: int, criterion: Criterion, scores: Scores) -> Tensor:
    """The mean of what the layers of a group say, [width]."""
    found = list[Tensor]()
    for item in group.items:
        side: Side = "made" if graph.is_out_channel_pruning_fn(item.dep.handler) else "read"
        score = scores.get((item.dep.target.module, side))
        if score is not None and None not in item.root_idxs:
            found.append(criterion.of_channel(_by_channel(score[item.idxs], torch.tensor(item.root_idxs), width)))
    if not found:
        raise ValueError(f"the criterion {criterion.name!r} must find something to judge at tied layers, but not at {list(names)}")
    return torch.stack(found).mean(0)


def _by_channel(rows: Tensor, channels: Tensor, width: int) -> Tensor:
    """All rows of each channel side by side, [width, n]: where an image was flattened, a channel has one for each pixel."""
    order = channels.argsort(stable=True)
    channels, counts = channels[order], channels.bincount(minlength=width)
    place = torch.arange(len(channels)) - (counts.cumsum(0) - counts)[channels]
    table = rows.new_zeros(width, int(counts.max()), rows[0].numel())
    table[channels, place] = rows[order].flatten(1) if rows.ndim > 1 else rows[order, None]
    return table.flatten(1)


def _tied(graph: Any, layer: nn.Module, indices: Sequence[int]) -> Any:
    return graph.get_pruning_group(layer, graph.get_pruner_of_module(layer).prune_out_channels, list(indices))


def _masked(model: nn.Module, graph: Any, cuts: Sequence[tuple[Group, Sequence[int]]], inputs: Tensor) -> Tensor:
    """The outputs with the channels set to zero where they are made: what removing them has to be equal to."""
    modules = set(model.modules())
    hooks = [
        dep.target.module.register_forward_hook(partial(_zero, torch.tensor(indices)))
        for group, cut in cuts
        if cut
        for dep, indices in _tied(graph, group.root, cut)
        if graph.is_out_channel_pruning_fn(dep.handler) and dep.target.module in modules
    ]
    with torch.no_grad():
        outputs: Tensor = model(inputs)
    for hook in hooks:
        hook.remove()
    return outputs


def _zero(indices: Tensor, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:  # noqa: ARG001 - torch's hook
    return output.index_fill(-1 if isinstance(layer, nn.Linear) else 1, indices, 0.0)


def _remove(graph: Any, cuts: Sequence[tuple[Group, Sequence[int]]]) -> None:
    for group, cut in cuts:
        if len(cut) == group.width:
            raise ValueError(f"pruning must leave a channel, but none of {group.width} is left at {list(group.names)}")
        if cut:
            _tied(graph, group.root, cut).prune()
        achieved, expected = graph.get_out_channels(group.root), group.width - len(cut)
        if achieved != expected:
            raise ValueError(f"pruning must leave {expected} of {group.width} channels, but left {achieved} at {list(group.names)}")


def _check_same(masked: Tensor, shrunk: Tensor) -> None:
    if masked.shape != shrunk.shape:
        raise ValueError(
            f"pruning must keep the shape of the outputs, {tuple(masked.shape)}, but got {tuple(shrunk.shape)}; {ADVICE}"
        )
    # The last sample is the one of zeros.
    error, response = float((masked - shrunk).abs().max()), float((masked - masked[-1]).abs().max())
    # Where biases give most of the output, a mistake in the little that answers the input must not hide behind them.
    if not error <= TOLERANCE_OF_RESPONSE * response + TOLERANCE_OF_OUTPUT * float(masked.abs().max()):
        raise ValueError(
            f"removing channels must give the outputs that zeroed channels give, but they differ by {error:.3g} "
            f"where inputs make a difference of {response:.3g}; {ADVICE}"
        )
