"""The mean and the spread of each channel of a quantized network, matched to the float network's."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.layers import WeightLayer, forward_hooks
from nas.quantize.correct import channel_ends
from nas.quantize.quantized_layers import integer_layer

# A spread further away than this is one of a channel that is all but constant.
MOST = 8.0


@dataclass(frozen=True)
class _Statistics:
    """Means and standard deviations of output channels, [channels] each."""

    mean: Tensor
    spread: Tensor


def match_statistics(quantized: nn.Module, floating: nn.Module, inputs: Tensor) -> None:
    """Changes the gains and biases of a quantized network, in place, so that each of its layers'
    output channels has the mean and the standard deviation that it has in the float network.

    `floating` is the network that was quantized, and has layers of the same names; `inputs` is a
    batch [N, …], of which the largest tensor of both networks is in memory. Layers are matched in
    order, each on what those before it then give. Where batch normalization is behind a layer, its
    gains and biases change, which is the same as to re-estimate its statistics on the quantized
    network (Sun et al., 2019); elsewhere the scales of the weights and the biases of the layer. No
    level changes. Where all weights have one scale, means alone are matched (as by
    `correct_biases`).

    Raises:
        ValueError: if `quantized` is not traced, or `floating` lacks one of its layers.
    """
    ends = channel_ends(quantized, floating)
    wanted = _measured(floating, [end for _, end in ends], inputs)
    layers = {quantized.get_submodule(end): (layer, end) for layer, end in ends}
    matched = set[nn.Module]()

    def match(module: nn.Module, _: object, output: Tensor) -> Tensor | None:
        if module in matched:  # a layer that is called again
            return None
        matched.add(module)
        layer, end = layers[module]
        return _matched(quantized.get_submodule(layer), module, output, wanted[end])

    with torch.no_grad(), forward_hooks((module, match) for module in layers):
        quantized.eval()(inputs)


def _matched(layer: nn.Module, end: nn.Module, output: Tensor, wanted: _Statistics) -> Tensor:
    """The output of `end` after gains and biases were changed: its own, or those of the layer."""
    assert isinstance(layer, WeightLayer)
    found = _statistics(output)
    ratio = (wanted.spread / found.spread).clamp(1 / MOST, MOST)
    ratio = torch.where((wanted.spread > 0) & (found.spread > 0), ratio, 1.0)
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
    by_channel = 1, -1, *[1] * (output.ndim - 2)
    mean, ratio, target = (x.view(by_channel) for x in (found.mean, ratio, wanted.mean))
    return (output - mean) * ratio + target


def _measured(model: nn.Module, names: Sequence[str], inputs: Tensor) -> dict[str, _Statistics]:
    """The statistics of what the named modules give."""
    found = dict[nn.Module, _Statistics]()

    def record(module: nn.Module, _: object, output: Tensor) -> None:
        found.setdefault(module, _statistics(output))

    modules = {name: model.get_submodule(name) for name in names}
    with torch.no_grad(), forward_hooks((module, record) for module in modules.values()):
        model.eval()(inputs)
    return {name: found[module] for name, module in modules.items()}


def _statistics(output: Tensor) -> _Statistics:
    over = (0, *range(2, output.ndim))
    return _Statistics(output.mean(over), output.std(over, correction=0))
