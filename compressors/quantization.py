"""Quantization-aware training at the bit-widths that a search chooses."""

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
    integer_layer,
    match_statistics,
    quantized_layer,
    quantizers_inserted,
    traced_network,
)
from nas.quantize.calibrate import RANGE_METHODS, RangeMethod
from nas.quantize.weight_levels import Granularity
from nas.quantize.weight_quantizers import WeightMethod
from nas.tracing import independent_copy, traced_again

BIT_WIDTHS = range(1, 9)
ACTIVATION_BITS = range(2, 9)
# Ranges that follow the extremes of batches would overwrite the other calibrated ones in the first
# step of training.
_RANGES_THAT_LAST = {"widest": ("minmax",), "average": ("minmax", "moving_average")}


@dataclass(frozen=True)
class Quantization:
    """Fake quantization: weights at the chosen 1 to 8 bits, and activations.

    A site covers every convolution and linear layer at or below it; if two sites cover the same
    layer, the inner one decides. Batch normalization after a layer is kept in training: it changes
    the scales of channels, but no level. The entries of a codebook, which have one scale, are
    affine with `weights="affine"`, and otherwise scaled by the largest magnitude.

    Args:
        activation_bits: bits of the tensors between layers, 2 to 8
        weights: where the scales of weights come from: the largest magnitude ("max"), gradients
            ("lsq"), the mean magnitude of ternary weights at 2 bits, else as "max" ("ternary"), or
            the smallest and the largest weight, for asymmetric levels ("affine"). "mse" begins with
            the step of least squared error and learns it as "lsq" does, and "affine_mse" the same
            for asymmetric levels: at 2 bits there are four, not three. Weights of 1 bit are binary
            with all of them
        weight_scales: one scale for each output "channel", or one for the whole "tensor"
        activations: how ranges of activations change in training: "widest" and "average" follow the
            extremes of batches, "fixed" ranges stay, "pact" learns their ends and "lsq" their steps
        ranges: how ranges of activations are calibrated: a key of `RANGE_METHODS`. "widest" needs
            "minmax", and "average" that or "moving_average"
        kind: the kind of choices that is applied

    Raises:
        ValueError: if an option is not one of these, or training would overwrite the calibrated
            ranges in its first step.
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
        if self.ranges not in (
            lasting := _RANGES_THAT_LAST.get(self.activations, tuple(RANGE_METHODS))
        ):
            raise ValueError(
                f"ranges must be one of {lasting} where activations are {self.activations!r}, or activations 'fixed', 'pact' or "
                f"'lsq', but got {self.ranges!r}"
            )

    def apply(
        self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor
    ) -> nn.Module:
        """The network traced by torch.fx, with quantized layers and activation quantizers that are
        calibrated on `example`.

        Raises:
            ValueError: if a bit-width is not in 1 … 8, or a site holds no layer.
            UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer
                form.
        """
        widths = _widths(model, settings)
        # Before anything is rounded, so that what is traced can be compared with the network.
        plain = traced_network(model, example)
        _replace_quantized(plain, widths, self.weights, self.weight_scales)
        traced = quantizers_inserted(traced_again(plain), self.activation_bits, self.activations)
        calibrate(traced, example, RANGE_METHODS[self.ranges])
        return traced

    def requantize(self, model: nn.Module, settings: Mapping[str, Hashable]) -> None:
        """Gives the layers of a network that `apply` has quantized other bits, in place.

        Layers whose bits stay keep their scales; ranges of activations stay as they are.

        Raises:
            ValueError: if a bit-width is not in 1 … 8, a site holds no layer, or weights with a
                codebook would have 1 bit.
        """
        changed = {
            layer: width
            for layer, width in _widths(model, settings).items()
            if integer_layer(layer).bits != width
        }
        _replace_quantized(model, changed, self.weights, self.weight_scales)

    def match(self, model: nn.Module, floating: nn.Module, example: Tensor) -> None:
        """Gives the channels of a network that `apply` has quantized the means and spreads that
        they have in `floating`, as `match_statistics` does.

        Raises:
            ValueError: if `floating` lacks a layer.
        """
        match_statistics(model, floating, example)


def quantize_layers(
    model: nn.Module, settings: Mapping[str, Hashable], weights: WeightMethod, scales: Granularity
) -> None:
    """Replaces the layers at or below each site by quantized ones that share their parameters.

    Raises:
        ValueError: if a bit-width is not in 1 … 8, a site holds no layer, or weights with a
            codebook would have 1 bit.
    """
    _replace_quantized(model, _widths(model, settings), weights, scales)


def _widths(model: nn.Module, settings: Mapping[str, Hashable]) -> dict[WeightLayer, int]:
    """The bits of each layer at or below a site; the innermost site decides."""
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
    return bits


def _replace_quantized(
    model: nn.Module, bits: Mapping[WeightLayer, int], weights: WeightMethod, scales: Granularity
) -> None:
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
    """A quantized copy of a network, traced by torch.fx: it can be used, trained, or lowered to its
    integer program.

    `bits` is one bit-width for all layers, or one for each site, and then other layers are not
    quantized; `calibration` is a batch of inputs, [N, …], for the ranges of activations; `method`
    is `Quantization()` unless given.

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
    return (method or Quantization()).apply(independent_copy(model), settings, calibration)


def check_activation_bits(bits: Hashable) -> int:
    """The bit-width of activations.

    Raises:
        ValueError: if it is not in 2 … 8.
    """
    return _check_bits(bits, ACTIVATION_BITS, "activations")


def _check_option(name: str, value: object, options: tuple[object, ...]) -> None:
    if value not in options:
        raise ValueError(f"{name} must be one of {options}, but got {value!r}")


def _check_bits(bits: Hashable, allowed: range, where: str) -> int:
    if isinstance(bits, bool) or not isinstance(bits, int) or bits not in allowed:
        raise ValueError(f"bits must be one of {tuple(allowed)}, but got {bits!r} at {where!r}")
    return bits
