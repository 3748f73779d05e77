"""Removal of channels, verified to give the outputs of the network with these channels at zero."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
import torch_pruning
from torch import Tensor, nn

from compressors.criteria import PruningCriterion
from compressors.groups import Group, Unstated, groups_of, is_depthwise, tied_to
from nas.layers import WeightLayer, forward_hooks, layers_at
from nas.mask import WeightMask
from nas.tracing import outputs

TOLERANCE_OF_RESPONSE, TOLERANCE_OF_OUTPUT = 1e-3, 1e-6
ADVICE = "the network reorders or mixes channels, as shuffles and layer normalization do: leave its sites out"

Selection = Callable[[Sequence[Group]], Sequence[Sequence[int]]]
"""From groups to the channels of each that are removed."""


def shrink(
    model: nn.Module,
    values: Mapping[str, float],
    example: Tensor,
    criterion: PruningCriterion,
    select: Selection,
    unstated: Unstated = "refuse",
) -> nn.Module:
    """`model` without the selected channels, changed in place.

    Torch-Pruning's dependency graph says which channels are tied (Fang et al., 2023).

    Args:
        model: the network
        values: a ratio or threshold for each site; groups without one, or with 0, stay as they are
        example: a batch of inputs, [N, …]
        criterion: what the importances of groups come from
        select: what channels of each group are removed
        unstated: whether a group with values at only some of its layers is refused

    Raises:
        ValueError: if the network has masks, a site has only depthwise convolutions or layers that
            give the logits, tied layers differ in their values, or the smaller network does not
            give the outputs of the network with these channels at zero.
    """
    chosen = {
        site: dict.fromkeys(_producers_at(model, site), value) for site, value in values.items()
    }
    if not any(values.values()):
        return model
    if any(isinstance(module, WeightMask) for module in model.modules()):
        raise ValueError(
            "channels must be removed before single weights, but the network has masks"
        )
    model.eval()
    outputs(model, example[:2])  # one tensor, or a refusal
    frozen = {name for name, weights in model.named_parameters() if not weights.requires_grad}
    model.requires_grad_(True)  # the graph is built from what autograd records
    with torch.enable_grad():
        graph = torch_pruning.DependencyGraph().build_dependency(
            model, example_inputs=(example[:2].clone(),), verbose=False
        )
    names = {module: name for name, module in model.named_modules()}
    # On the sample of zeros the outputs come from biases alone; the sample of ones exercises inputs
    # that are 0 in all examples.
    probe = torch.cat([example, torch.ones_like(example[:1]), torch.zeros_like(example[:1])])
    scores = criterion.judged(model, example)
    try:
        groups = groups_of(graph, chosen, names, criterion, scores, unstated)
        cuts = list(zip(groups, select(groups), strict=True))
        masked = _masked(model, graph, cuts, probe)
        _remove(graph, cuts)
        with torch.no_grad():
            shrunk = model(probe.clone())
    except (IndexError, RuntimeError) as error:
        raise ValueError(
            f"the network must run without the removed channels, but: {error}; {ADVICE}, or write no width into a view: "
            "x.flatten(1) instead of x.view(-1, 320)"
        ) from error
    _check_same(masked, shrunk)
    for name, weights in model.named_parameters():
        weights.requires_grad_(name not in frozen)
    return model


def _producers_at(model: nn.Module, site: str) -> list[nn.Module]:
    layers = layers_at(model, site)
    producers: list[nn.Module] = [layer for layer in layers.values() if not is_depthwise(layer)]
    if not producers:
        raise ValueError(
            f"a depthwise convolution has the channels of the layer before it, but {site!r} has only {list(layers)}"
        )
    return producers


def _masked(
    model: nn.Module, graph: Any, cuts: Sequence[tuple[Group, Sequence[int]]], inputs: Tensor
) -> Tensor:
    """The outputs with the channels set to zero where they are computed and where they are read, as a
    sigmoid in between makes of 0 another value: the reference for their removal.
    """
    modules = set(model.modules())
    tied = [
        (dep, dep.target.module, torch.tensor(indices))
        for group, cut in cuts
        if cut
        for dep, indices in tied_to(graph, group.root, cut)
        if dep.target.module in modules
    ]
    made = [
        (module, partial(_zero, indices))
        for dep, module, indices in tied
        if graph.is_out_channel_pruning_fn(dep.handler)
    ]
    with forward_hooks(made), ExitStack() as read, torch.no_grad():
        for dep, module, indices in tied:
            if graph.is_in_channel_pruning_fn(dep.handler) and isinstance(module, WeightLayer):
                hook = module.register_forward_pre_hook(partial(_zero_read, indices))
                read.callback(hook.remove)
        outputs: Tensor = model(inputs.clone())
    return outputs


def _zero_read(indices: Tensor, layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (_zero(indices, layer, inputs, inputs[0]), *inputs[1:])


def _zero(indices: Tensor, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:  # noqa: ARG001 - torch's signature
    return output.index_fill(-1 if isinstance(layer, nn.Linear) else 1, indices, 0.0)


def _remove(graph: Any, cuts: Sequence[tuple[Group, Sequence[int]]]) -> None:
    for group, cut in cuts:
        if len(cut) == group.width:
            raise ValueError(
                f"pruning must leave a channel, but removes all {group.width} at {list(group.names)}"
            )
        if cut:
            tied_to(graph, group.root, cut).prune()
        achieved, expected = graph.get_out_channels(group.root), group.width - len(cut)
        if achieved != expected:
            raise ValueError(
                f"pruning must leave {expected} of {group.width} channels, but left {achieved} at {list(group.names)}"
            )


def _check_same(masked: Tensor, shrunk: Tensor) -> None:
    if masked.shape != shrunk.shape:
        raise ValueError(
            f"pruning must keep the shape of the outputs, {tuple(masked.shape)}, but got {tuple(shrunk.shape)}; {ADVICE}"
        )
    # The last sample is the one of zeros.
    error, response = float((masked - shrunk).abs().max()), float((masked - masked[-1]).abs().max())
    # The tolerance is relative to what the input contributes, because biases may make up most of the
    # output and hide a large error in the rest.
    if not error <= TOLERANCE_OF_RESPONSE * response + TOLERANCE_OF_OUTPUT * float(
        masked.abs().max()
    ):
        raise ValueError(
            f"removing channels must give the outputs of the network with these channels at 0, but they differ by {error:.3g} "
            f"where the input changes them by {response:.3g}; {ADVICE}"
        )
