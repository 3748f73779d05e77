"""Networks moved to where their integer program is exact."""

import numpy as np
import torch
from torch import fx, nn

from nas.layers import WeightLayer
from nas.lowering.groups import Group, Norm, fused_group, quantizer_of
from nas.lowering.layers import affine, double, integers
from nas.program.biases import bias_units
from nas.quantize import ActivationQuantizer, Role, integer_layer, role


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
            assert isinstance(group.module, WeightLayer)
            _snap(group.module, group.norm, source, quantizer.levels())
    return model


def _layers(model: fx.GraphModule) -> list[tuple[Group, float, ActivationQuantizer]]:
    """Each layer with the scale of its source and the quantizer of its result.

    A layer that is called again has other scales there, for which it cannot be exact as well: only
    its first call counts.
    """
    found = dict[nn.Module | None, tuple[Group, float, ActivationQuantizer]]()
    for node in model.graph.nodes:
        if (quantizer := quantizer_of(node, model)) is not None:
            group = fused_group(node.all_input_nodes[0], model)
            if role(group.node, model) is Role.LAYER and group.module not in found:
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
