"""How much accuracy each layer costs at each bit-width, when it alone is quantized."""

import copy
from collections.abc import Mapping, Sequence

from torch import nn

from nas.data import Split
from nas.quantize import QuantizedConv2d, QuantizedLinear, SharedConv2d, SharedLinear
from nas.training.fit import accuracy

Sensitivity = Mapping[str, Mapping[int, float]]
"""For each layer, by its dotted name, the accuracy at each number of bits."""


def sensitivity(
    model: nn.Module, split: Split, bits: Sequence[int] = (1, 2, 3, 4, 6, 8)
) -> Sensitivity:
    """The accuracy on `split`, 0 to 1, when only this layer's weights have so many bits and all
    else stays as it is.

    Scales follow from the largest magnitude of each channel, and nothing is trained again. Layers
    whose weights share values are left out.

    Raises:
        ValueError: if no bits are asked for, or some that are not in 1 … 8.
    """
    if not bits or not set(bits) <= set(range(1, 9)):
        raise ValueError(f"bits must be one or more of {tuple(range(1, 9))}, but got {tuple(bits)}")
    model = copy.deepcopy(model)
    # A layer that is used twice may have several names, and is put in the place of each.
    names = dict[nn.Module, list[str]]()
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, (nn.Conv2d, nn.Linear)) and not isinstance(
            module, (SharedConv2d, SharedLinear)
        ):
            names.setdefault(module, []).append(name)
    table = dict[str, Mapping[int, float]]()
    for layer, places in names.items():
        assert isinstance(layer, (nn.Conv2d, nn.Linear))
        row = dict[int, float]()
        for width in bits:
            _put(
                model,
                places,
                QuantizedConv2d(layer, width)
                if isinstance(layer, nn.Conv2d)
                else QuantizedLinear(layer, width),
            )
            row[width] = accuracy(model, split)
        _put(model, places, layer)
        table[places[0]] = row
    return table


def bit_widths(model: nn.Module) -> dict[str, int]:
    """The bits of the weights of each quantized layer whose weights do not share values, by its
    dotted name.
    """
    return {
        name: layer.bits
        for name, layer in model.named_modules()
        if isinstance(layer, (QuantizedConv2d, QuantizedLinear))
    }


def _put(model: nn.Module, places: Sequence[str], layer: nn.Module) -> None:
    for place in places:
        model.set_submodule(place, layer)
