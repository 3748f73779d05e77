"""Fake-quantized training at the bit-widths that a search chooses."""

import copy
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import get_args

from torch import Tensor, nn

from nas.compress import Compressor
from nas.layers import WeightLayer, layers_at, replace_modules
from nas.quantize import (
    ActivationMethod,
    IntegerLayer,
    calibrate,
    insert_quantizers,
    quantized_layer,
)
from nas.quantize.calibrate import RANGE_METHODS, RangeMethod
from nas.quantize.weight_levels import Granularity
from nas.quantize.weight_quantizers import WeightMethod

BIT_WIDTHS = range(1, 9)
ACTIVATION_BITS = range(2, 9)
# What follows the ends of batches would undo other ranges in the first step of training.
_FOLLOWED = {"widest": ("minmax",), "average": ("minmax", "moving_average")}


@dataclass(frozen=True)
class Quantization:
    """Weights at the chosen 1 to 8 bits; the tensors between layers at `activation_bits`, 2 to 8.

    A site stands for every convolution and linear layer at or below it; where two sites hold the
    same layer, the inner one decides. Batch normalization behind a layer stays while it is trained:
    it changes the scales of channels, and no level.

    `weights` is where scales come from: the largest magnitude, what is learnt (LSQ), ternary
    weights for 2 bits, or, for levels that are not symmetric, the smallest and the largest weight
    ("affine"). Weights of 1 bit are binary by any. `weight_scales` is one scale for each channel,
    or for all of a tensor. `ranges` is how those of tensors are found on data, `activations` how
    they move in training: "widest" and "average" follow batches, "fixed" stays, "pact" learns ends
    and "lsq" steps. The few values of shared weights are affine by "affine", and else follow the
    largest magnitude.

    Raises:
        ValueError: if an option is not one of these, or ranges would not outlast the first step of
            training.
    """

    activation_bits: int = 8
    weights: WeightMethod = "max"
    weight_scales: Granularity = "channel"
    activations: ActivationMethod = "widest"
    ranges: RangeMethod = "minmax"
    kind: str = "bits"

    def __post_init__(self) -> None:
        check_activation_bits(self.activation_bits)
        _check_option("activations", self.activations, get_args(ActivationMethod))
        _check_option("weight_scales", self.weight_scales, get_args(Granularity))
        _check_option("ranges", self.ranges, get_args(RangeMethod))
        _check_option("weights", self.weights, get_args(WeightMethod))
        if self.ranges not in (kept := _FOLLOWED.get(self.activations, tuple(RANGE_METHODS))):
            raise ValueError(
                f"ranges must be one of {kept} where activations are {self.activations!r}, or activations 'fixed', 'pact' or "
                f"'lsq', but got {self.ranges!r}"
            )

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        """The traced network with quantized layers, and a quantizer behind each result, calibrated
        on `example`.

        Raises:
            ValueError: if a bit-width is not in 1 … 8, or a site holds no layer.
            UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer
                form.
        """
        quantize_layers(model, settings, self.weights, self.weight_scales)
        traced = insert_quantizers(model, self.activation_bits, self.activations)
        calibrate(traced, example, RANGE_METHODS[self.ranges])
        return traced


def quantize_layers(
    model: nn.Module, settings: Mapping[str, Hashable], weights: WeightMethod, scales: Granularity
) -> None:
    """Puts quantized layers, which share their parameters, in the place of those at or below each
    site.

    Raises:
        ValueError: if a bit-width is not in 1 … 8, or a site holds no layer.
    """
    bits: dict[WeightLayer, int] = {}
    for site in sorted(settings, key=len):
        chosen = _check_bits(settings[site], BIT_WIDTHS, site)
        layers = layers_at(model, site)
        if chosen == 1 and (
            shared := [
                name
                for name, layer in layers.items()
                if isinstance(layer, IntegerLayer) and layer.entries is not None
            ]
        ):
            raise ValueError(
                f"weights that share values must have 2 to 8 bits, but got 1 at {shared}"
            )
        bits |= dict.fromkeys(layers.values(), chosen)
    replace_modules(
        model,
        {layer: quantized_layer(layer, width, weights, scales) for layer, width in bits.items()},
    )


def quantize(
    model: nn.Module,
    bits: int | Mapping[str, int],
    calibration: Tensor,
    method: Compressor | None = None,
) -> nn.Module:
    """A quantized copy of a network: all layers at `bits` bits, or those at each site at its own;
    the others keep their weights.

    `calibration` is a batch of inputs, [N, …], from which the ranges of tensors are found. What is
    returned is the network traced by torch.fx: it can be used as it is, trained on, or lowered to
    its integer program.

    >>> import torch
    >>> from torch import nn
    >>> from nas.lowering import lower
    >>> from nas.packed import pack
    >>> images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> small = quantize(model, 4, images)
    >>> small(images).shape
    torch.Size([64, 10])
    >>> len(pack(lower(small, images))) < 1000
    True
    >>> mixed = quantize(model, {"0": 8, "3": 2}, images, Quantization(weights="lsq", activations="lsq"))

    Raises:
        ValueError: if a bit-width is not in 1 … 8, or a site holds no layer.
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
    """
    settings: Mapping[str, Hashable] = bits if isinstance(bits, Mapping) else {"": bits}
    return (method or Quantization()).apply(copy.deepcopy(model), settings, calibration)


def check_activation_bits(bits: Hashable) -> int:
    """The bits of tensors.

    Raises:
        ValueError: if they are not in 2 … 8.
    """
    return _check_bits(bits, ACTIVATION_BITS, "activations")


def _check_option(name: str, value: object, options: tuple[object, ...]) -> None:
    if value not in options:
        raise ValueError(f"{name} must be one of {options}, but got {value!r}")


def _check_bits(bits: Hashable, allowed: range, where: str) -> int:
    if isinstance(bits, bool) or not isinstance(bits, int) or bits not in allowed:
        raise ValueError(f"bits must be one of {tuple(allowed)}, but got {bits!r} at {where!r}")
    return bits
