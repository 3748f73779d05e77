"""Structured pruning: channels leave the network, together with everything that depended on them."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch_pruning
from torch import Tensor, nn

from nas.compress import layers_at

TOLERANCE_OF_RESPONSE, TOLERANCE_OF_OUTPUT = 1e-3, 1e-6
ADVICE = (
    "the network reorders channels, mixes them or makes something of a zero, as shuffles, layer normalisation and sigmoids do: "
    "leave its sites out"
)


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
    layers that give the logits keep their channels, and depthwise convolutions those of the layer before them. Where two
    sites hold the same layer, the inner one decides.
    """

    kind: str = "prune"

    def apply(self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor) -> nn.Module:
        """The smaller network.

        Raises:
            ValueError: if a ratio is not in [0, 1), if a site has only depthwise convolutions, if tied layers have
                different ratios, or if removing the channels of this network is not the same as setting them to zero.
        """
        ratios: dict[nn.Module, float] = {}
        for site in sorted(settings, key=len):
            ratio = _check_ratio(settings[site], site)
            ratios |= dict.fromkeys(_producers_at(model, site), ratio)
        if not any(ratios.values()):
            return model
        model.eval()
        graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=(example[:2],), verbose=False)
        names = {module: name for name, module in model.named_modules()}
        # The sample of zeros tells what biases alone make the network say; the one of ones answers where examples are zeros.
        probe = torch.cat([example, torch.ones_like(example[:1]), torch.zeros_like(example[:1])])
        try:
            cuts = _plan(graph, ratios, names)
            masked = _masked(model, graph, cuts, probe)
            _remove(graph, cuts, names)
            with torch.no_grad():
                shrunk = model(probe)
        except (IndexError, RuntimeError) as error:
            raise ValueError(f"a network must run without the removed channels, but: {error}; {ADVICE}") from error
        _check_same(masked, shrunk)
        return model


def _check_ratio(ratio: Hashable, site: str) -> float:
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0.0 <= ratio < 1.0:
        raise ValueError(f"a pruning ratio must be at least 0 and below 1, but got {ratio!r} at {site!r}")
    return float(ratio)


def _producers_at(model: nn.Module, site: str) -> list[nn.Module]:
    layers = layers_at(model, site)
    producers = [layer for layer in layers.values() if not _is_depthwise(layer)]
    if not producers:
        raise ValueError(f"a depthwise convolution has the channels of the layer before it, but {site!r} has only {list(layers)}")
    return producers


def _is_depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels == layer.out_channels > 1


def _plan(graph: Any, ratios: Mapping[nn.Module, float], names: Mapping[nn.Module, str]) -> list[Cut]:
    cuts: list[Cut] = []
    planned = set[nn.Module]()
    for layer in names:
        ratio = ratios.get(layer, 0.0)
        if ratio == 0.0 or layer in planned:
            continue
        if layer not in graph.module2node:
            raise ValueError(f"a layer must take part in the logits to be pruned, but {names[layer]!r} does not")
        width = int(graph.get_out_channels(layer))
        group = _group(graph, Cut(layer, width, tuple(range(width))))
        made = [(dep.target, len(indices)) for dep, indices in group if graph.is_out_channel_pruning_fn(dep.handler)]
        tied = {node.module: count for node, count in made if isinstance(node.module, (nn.Conv2d, nn.Linear))}
        tied = {module: count for module, count in tied.items() if not _is_depthwise(module)}
        planned |= tied.keys()
        if any(not node.outputs for node, _ in made):
            continue  # what nothing reads are the logits
        _check_group([dep.target.module for dep, _ in group], tied, ratios, names)
        importance = torch_pruning.importance.GroupMagnitudeImportance(p=2)(group)
        removed = importance.argsort(stable=True)[: math.floor(ratio * width)]
        cuts.append(Cut(layer, width, tuple(sorted(removed.tolist()))))
    return cuts


def _check_group(
    group: Sequence[nn.Module],
    tied: Mapping[nn.Conv2d | nn.Linear, int],
    ratios: Mapping[nn.Module, float],
    names: Mapping[nn.Module, str],
) -> None:
    """Refuses channels whose removal would be ambiguous; `tied` has for each layer how many of its channels are in the group."""
    wanted = {name: ratios.get(layer) for layer, name in names.items() if layer in tied}
    if len(set(wanted.values())) > 1:
        raise ValueError(f"layers whose channels are tied must have one pruning ratio, but got {wanted}")
    widths = {names[layer]: layer.weight.shape[0] for layer in tied}
    if len(set(widths.values()) | set(tied.values())) > 1:
        raise ValueError(
            f"layers whose channels are tied must have one width, but got {widths}: a sum ties one to a part of another"
        )
    for layer in group:
        if isinstance(layer, nn.Conv2d) and layer.groups > 1 and not _is_depthwise(layer):
            raise ValueError(
                f"channels at a grouped convolution cannot be pruned unless it is depthwise, "
                f"but {names[layer]!r} has {layer.groups} groups of {layer.in_channels} channels; leave {list(wanted)} out"
            )


def _group(graph: Any, cut: Cut) -> Any:
    return graph.get_pruning_group(cut.layer, graph.get_pruner_of_module(cut.layer).prune_out_channels, list(cut.indices))


def _masked(model: nn.Module, graph: Any, cuts: Sequence[Cut], inputs: Tensor) -> Tensor:
    """The outputs with the channels set to zero where they are made: what removing them has to be equal to."""
    modules = set(model.modules())
    hooks = [
        dep.target.module.register_forward_hook(partial(_zero, torch.tensor(indices)))
        for cut in cuts
        for dep, indices in _group(graph, cut)
        if cut.indices and graph.is_out_channel_pruning_fn(dep.handler) and dep.target.module in modules
    ]
    with torch.no_grad():
        outputs: Tensor = model(inputs)
    for hook in hooks:
        hook.remove()
    return outputs


def _zero(indices: Tensor, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:  # noqa: ARG001 - torch's hook
    return output.index_fill(-1 if isinstance(layer, nn.Linear) else 1, indices, 0.0)


def _remove(graph: Any, cuts: Sequence[Cut], names: Mapping[nn.Module, str]) -> None:
    for cut in cuts:
        if cut.indices:
            _group(graph, cut).prune()
        achieved, expected = graph.get_out_channels(cut.layer), cut.width - len(cut.indices)
        if achieved != expected:
            raise ValueError(f"pruning must leave {expected} of {cut.width} channels, but left {achieved} at {names[cut.layer]!r}")


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
