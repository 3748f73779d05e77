"""Sensitivity of accuracy to the bit-width of each layer, quantized alone."""

import copy
from collections.abc import Mapping, Sequence

from torch import nn

from nas.data import Split
from nas.layers import named_layers, replace_modules
from nas.quantize import IntegerLayer, integer_layer, quantized_layer
from nas.training.fit import accuracy

Sensitivity = Mapping[str, Mapping[int, float]]
"""The accuracy, 0 to 1, at each number of bits, by the dotted name of a layer."""


def sensitivity(
    model: nn.Module, split: Split, bits: Sequence[int] = (1, 2, 3, 4, 6, 8)
) -> Sensitivity:
    """The accuracy on `split`, 0 to 1, with the weights of one layer at a time at each of `bits`
    and all else as it is.

    Scales are those of the largest magnitude of each channel, and nothing is trained again. Layers
    whose weights share a codebook are left out.

    Raises:
        ValueError: if there are no bits, or some are not in 1 … 8.
    """
    if not bits or not set(bits) <= set(range(1, 9)):
        raise ValueError(f"bits must be one or more of {tuple(range(1, 9))}, but got {tuple(bits)}")
    model = copy.deepcopy(model)
    table = dict[str, Mapping[int, float]]()
    for name, layer in named_layers(model).items():
        if integer_layer(layer).entries is None:
            row = dict[int, float]()
            for width in bits:
                quantized = quantized_layer(layer, width)
                row[width] = accuracy(replace_modules(model, {layer: quantized}), split)
                replace_modules(model, {quantized: layer})
            table[name] = row
    return table


def bit_widths(model: nn.Module) -> dict[str, int]:
    """The bits of the weights of each quantized layer, by its dotted name; layers with a codebook
    are left out.
    """
    return {
        name: layer.bits
        for name, layer in named_layers(model).items()
        if isinstance(layer, IntegerLayer) and layer.entries is None
    }
