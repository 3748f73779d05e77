"""Sensitivity of a network to the bits of each layer, changed alone."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nas.data import Split
from nas.layers import (
    WeightLayer,
    copied_at,
    forward_hooks,
    layers_at,
    named_layers,
    replace_modules,
)
from nas.measure.divergence import divergence, log_probabilities
from nas.packed.encodings import encode
from nas.program.zero_points import wrapped
from nas.quantize import IntegerLayer, integer_layer, quantized_layer
from nas.quantize.statistics import Statistics, matched_output, statistics_of
from nas.quantize.weight_levels import Granularity
from nas.quantize.weight_quantizers import WeightMethod

MATCHED_ON = 256
"""The inputs on which means and spreads of channels are matched."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What a network gives, to compare copies of it with in which one layer is changed.

    Args:
        inputs: what it is given, [N, …]
        log_probabilities: its answers, [N, classes]
        read: what each of its layers reads of some of the inputs, by dotted name
        made: the statistics of what the layer makes of that
    """

    inputs: Tensor
    log_probabilities: Tensor
    read: Mapping[str, Tensor]
    made: Mapping[str, Statistics]


def reference(model: nn.Module, layers: Sequence[str], inputs: Tensor) -> Reference:
    """What a network and its layers of these names give on inputs [N, …]."""
    read, made = dict[str, Tensor](), dict[str, Statistics]()
    names = {model.get_submodule(name): name for name in layers}

    def record(layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        # Of a layer that is called again, the first call.
        read.setdefault(names[layer], given[0])
        made.setdefault(names[layer], statistics_of(output))

    with torch.no_grad(), forward_hooks((layer, record) for layer in names):
        model.eval()(matched_inputs(inputs).clone())
    return Reference(inputs, log_probabilities(model, inputs), read, made)


def matched_inputs(inputs: Tensor) -> Tensor:
    """`MATCHED_ON` of the inputs, the same each time, because rows are often sorted."""
    if len(inputs) <= MATCHED_ON:
        return inputs
    order = torch.Generator().manual_seed(0)
    return inputs[torch.randperm(len(inputs), generator=order)[:MATCHED_ON]]


@dataclass(frozen=True, eq=False)
class LayerAtBits:
    """What one layer at some bits costs and does: the bytes of its coded weights, the divergence of
    the network's output in nats, and the network's answers, [N, classes].
    """

    size_bytes: int
    divergence: float
    log_probabilities: Tensor


def layer_at_bits(
    changed: nn.Module,
    site: str,
    bits: int,
    original: Reference,
    weights: WeightMethod = "max",
    weight_scales: Granularity = "channel",
) -> LayerAtBits:
    """Quantizes one layer of a network in place, and measures it with the means and spreads of the
    layer's output channels as they were, as `match_statistics` leaves them.

    Args:
        changed: The network, in which the layer may have become several factors, but which is
            otherwise the one of `original`.
        site: The name of the layer, of which `original` has the statistics.
        bits: The bits of its weights, 1 to 8; a layer that has them already stays as it is.
        original: What the network gave.
        weights: Where scales come from, as in `Quantization`.
        weight_scales: One for each output channel, or one for the whole tensor.
    """
    size = 0
    for layer in set(layers_at(changed, site).values()):
        quantized = _quantized(layer, bits, weights, weight_scales)
        size += _coded_bytes(quantized)
        changed = replace_modules(changed, {layer: quantized})
    module, wanted = changed.eval().get_submodule(site), original.made[site]
    with torch.no_grad():
        found = statistics_of(module(original.read[site].clone()))

    def match(_: nn.Module, __: object, output: Tensor) -> Tensor:
        return matched_output(output, found, wanted)

    with forward_hooks([(module, match)]):
        answers = log_probabilities(changed, original.inputs)
    return LayerAtBits(size, divergence(original.log_probabilities, answers), answers)


def _quantized(
    layer: WeightLayer, bits: int, weights: WeightMethod, weight_scales: Granularity
) -> IntegerLayer:
    if isinstance(layer, IntegerLayer) and layer.bits == bits:
        return layer
    return quantized_layer(layer, bits, weights, weight_scales)


def _coded_bytes(layer: IntegerLayer) -> int:
    levels, _ = layer.levels()
    # Symmetric levels are within their bits, and stay as they are; those of 1 bit are not.
    values = levels.to(torch.int16).numpy()
    coded = wrapped(values, layer.bits) if layer.affine else values.astype(np.int8)
    return len(encode(coded, layer.bits).data)


@dataclass(frozen=True)
class Sensitivity:
    """What a network is with one layer at other bits: the bytes of the layer's coded weights, the
    divergence of the output in nats, and the accuracy, 0 to 1.
    """

    size_bytes: int
    divergence: float
    accuracy: float


def sensitivity(
    model: nn.Module, split: Split, bits: Sequence[int] = (1, 2, 3, 4, 6, 8)
) -> dict[str, dict[int, Sensitivity]]:
    """What a network is on `split` with the weights of one layer at a time at each of `bits` and
    all else as it is, by the dotted name of the layer and its bits.

    This is what `allocate` chooses from. Scales are those of the largest magnitude of each channel,
    the means and spreads of the layer's output channels stay, and nothing is trained again. Layers
    whose weights share a codebook are left out.

    Raises:
        ValueError: if there are no bits, or some are not in 1 … 8.
    """
    if not bits or not set(bits) <= set(range(1, 9)):
        raise ValueError(f"bits must be one or more of {tuple(range(1, 9))}, but got {tuple(bits)}")
    model = copy.deepcopy(model)
    layers = [
        name for name, layer in named_layers(model).items() if integer_layer(layer).entries is None
    ]
    original = reference(model, layers, split.inputs)

    def measured(layer: str, width: int) -> Sensitivity:
        found = layer_at_bits(copied_at(model, layer), layer, width, original)
        right = found.log_probabilities.argmax(1) == split.labels
        return Sensitivity(found.size_bytes, found.divergence, int(right.sum()) / len(right))

    return {layer: {width: measured(layer, width) for width in bits} for layer in layers}


def bit_widths(model: nn.Module) -> dict[str, int]:
    """The bits of the weights of each quantized layer, by its dotted name; layers with a codebook
    are left out.
    """
    layers: Mapping[str, nn.Module] = named_layers(model)
    return {
        name: layer.bits
        for name, layer in layers.items()
        if isinstance(layer, IntegerLayer) and layer.entries is None
    }
