"""The mean and the spread of each channel of a quantized network, matched to the float network's."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from nas.layers import WeightLayer, forward_hooks
from nas.quantize.correct import channel_ends
from nas.quantize.quantized_layers import integer_layer

# A spread further away than this is one of a channel that is all but constant.
MOST = 8.0


@dataclass(frozen=True)
class Statistics:
    """Means and standard deviations of output channels, [channels] each."""

    mean: Tensor
    spread: Tensor


def match_statistics(quantized: nn.Module, floating: nn.Module, inputs: Tensor) -> None:
    """Changes the gains and biases of a quantized network, in place, so that each of its layers'
    output channels has the mean and the standard deviation that it has in the float network.

    `floating` is the network that was quantized: it has layers of the same names, or one in the
    place of several factors, of which the last is matched. `inputs` is a batch [N, …], of which the
    largest tensor of both networks is in memory. Layers are matched in order, each on what those
    before it then give. Where batch normalization is behind a layer, its
    gains and biases change, which is the same as to re-estimate its statistics on the quantized
    network (Sun et al., 2019); elsewhere the scales of the weights and the biases of the layer. No
    level changes. Where all weights have one scale, means alone are matched (as by
    `correct_biases`).

    Raises:
        ValueError: if `quantized` is not traced, or `floating` lacks one of its layers.
    """
    sources = _sources(quantized, floating)
    wanted = output_statistics(floating, list(sources.values()), inputs)
    ends = channel_ends(quantized)
    layers = {
        quantized.get_submodule(ends[layer]): (layer, source) for layer, source in sources.items()
    }
    matched = set[nn.Module]()

    def match(module: nn.Module, _: object, output: Tensor) -> Tensor | None:
        if module in matched:  # a layer that is called again
            return None
        matched.add(module)
        layer, source = layers[module]
        return _matched(quantized.get_submodule(layer), module, output, wanted[source])

    with torch.no_grad(), forward_hooks((module, match) for module in layers):
        quantized.eval()(inputs.clone())


def _sources(quantized: nn.Module, floating: nn.Module) -> dict[str, str]:
    """For each layer of the quantized network that is matched, the module of the float one whose
    channels it has: its own end, or the layer of which it is the last factor.

    Raises:
        ValueError: if there is none, and no factor behind it.
    """
    modules, ends = dict(floating.named_modules()), list(channel_ends(quantized).items())
    found, missing = dict[str, str](), list[str]()
    for (layer, end), (after, _) in pairwise([*ends, ("", "")]):
        whole = layer.rpartition(".")[0]
        if end in modules:
            found[layer] = end
        elif not isinstance(modules.get(whole), WeightLayer):
            missing.append(end)
        elif after.rpartition(".")[0] != whole:
            found[layer] = whole
    if missing:
        raise ValueError(
            f"the float network must have the layers of the quantized one, but lacks {missing}"
        )
    return found


def _matched(layer: nn.Module, end: nn.Module, output: Tensor, wanted: Statistics) -> Tensor:
    """The output of `end` after gains and biases were changed: its own, or those of the layer."""
    assert isinstance(layer, WeightLayer)
    found = statistics_of(output)
    ratio = _ratio(found, wanted)
    if isinstance(end, (nn.BatchNorm1d, nn.BatchNorm2d)):
        if end.weight is None:
            end.weight = nn.Parameter(torch.ones_like(ratio))
            end.bias = nn.Parameter(torch.zeros_like(ratio))
        end.weight.data.mul_(ratio)
    else:
        integer = integer_layer(layer)
        _, scales = integer.levels()
        if integer.entries is not None or bool((scales == scales[0]).all()):
            ratio = torch.ones_like(ratio)  # one scale cannot follow them
        integer.rescale(ratio)
        end = layer
    if end.bias is None:
        end.bias = nn.Parameter(torch.zeros_like(ratio))
    assert isinstance(end.bias, nn.Parameter)
    end.bias.data.sub_(found.mean).mul_(ratio).add_(wanted.mean)
    return _moved(output, found.mean, ratio, wanted.mean)


def matched_output(output: Tensor, found: Statistics, wanted: Statistics) -> Tensor:
    """What a layer gives, [N, channels, …], moved by what takes the statistics `found` of its
    channels to those `wanted`.
    """
    ratio = _ratio(found, wanted)
    by_channel = 1, -1, *[1] * (output.ndim - 2)
    # In this order, because where nothing is to be moved nothing may change.
    shift = (wanted.mean - found.mean * ratio).view(by_channel)
    moved: Tensor = output * ratio.view(by_channel) + shift
    return moved


def _ratio(found: Statistics, wanted: Statistics) -> Tensor:
    ratio = (wanted.spread / found.spread).clamp(1 / MOST, MOST)
    return torch.where((wanted.spread > 0) & (found.spread > 0), ratio, 1.0)


def _moved(output: Tensor, mean: Tensor, ratio: Tensor, target: Tensor) -> Tensor:
    by_channel = 1, -1, *[1] * (output.ndim - 2)
    moved: Tensor = (output - mean.view(by_channel)) * ratio.view(by_channel)
    return moved + target.view(by_channel)


def output_statistics(
    model: nn.Module, names: Sequence[str], inputs: Tensor
) -> dict[str, Statistics]:
    """The statistics of what the named modules of a network give on inputs [N, …]."""
    found = dict[nn.Module, Statistics]()

    def record(module: nn.Module, _: object, output: Tensor) -> None:
        found.setdefault(module, statistics_of(output))

    modules = {name: model.get_submodule(name) for name in names}
    with torch.no_grad(), forward_hooks((module, record) for module in modules.values()):
        model.eval()(inputs.clone())
    return {name: found[module] for name, module in modules.items()}


def statistics_of(output: Tensor) -> Statistics:
    """The statistics of the channels of a tensor, [N, channels, …]."""
    over = (0, *range(2, output.ndim))
    return Statistics(output.mean(over), output.std(over, correction=0))
