"""Networks moved to where their integer program is exact."""

import numpy as np
import torch
from torch import fx, nn

from nas.layers import WeightLayer
from nas.lowering.groups import Group, Norm, fused_group, quantizer_of
from nas.lowering.layers import Affine, affine, double, integers
from nas.lowering.rescaled import channel_affine, rescaling
from nas.program.biases import bias_units
from nas.quantize import ActivationQuantizer, ChannelAffine, Role, integer_layer, role

_SNAPPED = (Role.LAYER, Role.NORM, Role.AFFINE)


def snapped(model: nn.Module) -> nn.Module:
    """`model`, moved in place to the nearest network that its program computes exactly.

    Multipliers have 16 bits and biases are integers, so values move by small parts of a step.
    But a network and a program that round at different places drift apart layer after layer. A
    network without quantizers is left as it is: its program is an approximation anyway.
    """
    if any(isinstance(module, ActivationQuantizer) for module in model.modules()):
        assert isinstance(model, fx.GraphModule)
        model.eval()
        for group, source, quantizer in _layers(model):
            if isinstance(group.module, WeightLayer):
                _snap(group.module, group.norm, source, quantizer.levels())
            else:
                _snap_affine(group.module, source, quantizer.levels())
    return model


def _layers(model: fx.GraphModule) -> list[tuple[Group, float, ActivationQuantizer]]:
    """Each layer, or what rescales channels, with the scale of its source and the quantizer of its
    result.

    A layer that is called again has other scales there, for which it cannot be exact as well: only
    its first call counts.
    """
    found = dict[nn.Module | None, tuple[Group, float, ActivationQuantizer]]()
    for node in model.graph.nodes:
        if (quantizer := quantizer_of(node, model)) is not None:
            group = fused_group(node.all_input_nodes[0], model)
            if role(group.node, model) in _SNAPPED and group.module not in found:
                found[group.module] = group, _source_scale(group.node, model), quantizer
    return list(found.values())


def _source_scale(node: fx.Node, model: fx.GraphModule) -> float:
    source = node.all_input_nodes[0]
    while (quantizer := quantizer_of(source, model)) is None:
        source = source.all_input_nodes[0]  # what moves integers keeps their scale
    return quantizer.levels()[0]


def _snap(layer: WeightLayer, norm: Norm | None, source: float, levels: tuple[float, int]) -> None:
    """Moves a layer in place, by about a hundredth of a step at most, to where its multipliers and
    biases are exact; `source` is the scale of what it reads, `levels` scale and zero point of its
    result.
    """
    result, zero = levels
    scaling, weights, biases = integers(layer, norm, (source, result), zero, (0, 0))
    view = integer_layer(layer)
    _, weight_scales = view.levels()
    found = affine(layer, norm, weight_scales)
    wanted = scaling.factors * result / source
    ratio = np.divide(wanted, np.abs(found.gains), out=np.ones_like(wanted), where=found.gains != 0)
    ratio[~weights.values.reshape(len(ratio), -1).any(1)] = 0.0
    offsets = biases * bias_units(scaling, weights.level_bits) * result
    with torch.no_grad():
        if norm is not None and norm.weight is not None and norm.bias is not None:
            norm.weight.mul_(torch.from_numpy(ratio))
            shift = affine(layer, norm, weight_scales).offsets - double(norm.bias)
            norm.bias.copy_(torch.from_numpy(offsets - shift))
        elif norm is None:
            view.rescale(torch.from_numpy(ratio).to(layer.weight.dtype))
            if layer.bias is not None:
                layer.bias.copy_(torch.from_numpy(offsets))


def _snap_affine(module: nn.Module | None, source: float, levels: tuple[float, int]) -> None:
    """Moves a normalization without a layer, or constants of channels, in place likewise."""
    result, zero = levels
    if isinstance(module, ChannelAffine):
        gain, offset = module.gains, module.offsets
        channels = gain.numel() if gain.numel() == offset.numel() else 0
        found = Affine(double(gain).reshape(-1), double(offset).reshape(-1))
    else:
        assert isinstance(module, Norm)
        gain, offset, channels = module.weight, module.bias, module.num_features
        found = channel_affine(module, "", (channels,))
    if gain is None or offset is None or channels == 0:
        return
    scaling, weights, biases = rescaling(found, (source, result), zero, (0, 0))
    kept = weights.values.reshape(-1) != 0
    wanted = scaling.factors * result / source * kept
    ratio = np.divide(wanted, np.abs(found.gains), out=np.ones_like(wanted), where=found.gains != 0)
    offsets = biases * bias_units(scaling, weights.level_bits) * result
    with torch.no_grad():
        gain.mul_(torch.from_numpy(ratio).view_as(gain))
        if isinstance(module, ChannelAffine):
            offset.copy_(torch.from_numpy(offsets).view_as(offset))
        else:
            shift = channel_affine(module, "", (channels,)).offsets - double(offset)
            offset.copy_(torch.from_numpy(offsets - shift))
