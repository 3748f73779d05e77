"""Layers that round each weight to an integer level."""

import torch
from torch import Tensor, nn

from nas.layers import WeightLayer, adopt_shape
from nas.mask import carry_mask
from nas.quantize.integer_layer import IntegerLayer
from nas.quantize.shared_layers import CodebookLayer
from nas.quantize.weight_levels import Granularity, channels
from nas.quantize.weight_quantizers import WeightMethod, WeightQuantizer, weight_quantizer

DEFAULT_BITS = 8


class QuantizedLayer(IntegerLayer):
    """A layer whose weights are rounded by `quantizer`; abstract."""

    weight: Tensor
    quantizer: WeightQuantizer

    @property
    def bits(self) -> int:
        """The bits of the quantizer."""
        return self.quantizer.bits

    @property
    def affine(self) -> bool:
        """Whether the quantizer's levels are affine."""
        return self.quantizer.affine

    @property
    def entries(self) -> None:
        """None: each weight has its own value."""
        return

    def rounded_weight(self) -> Tensor:
        """The quantized weights."""
        rounded: Tensor = self.quantizer(self.weight)
        return rounded

    def levels(self) -> tuple[Tensor, Tensor]:
        """The levels and scales of the quantizer."""
        return self.quantizer.levels(self.weight)

    def rescale(self, ratio: Tensor) -> None:
        """Multiplies the weights, and learned scales with them."""
        with torch.no_grad():
            self.weight.mul_(channels(ratio, self.weight))
        self.quantizer.rescale(ratio)


class QuantizedConv1d(QuantizedLayer, nn.Conv1d):
    """A convolution of signals with quantized weights, sharing its parameters and mask with `layer`."""

    def __init__(self, layer: nn.Conv1d, quantizer: WeightQuantizer) -> None:
        adopt_shape(self, layer)
        self.weight, self.bias, self.quantizer = layer.weight, layer.bias, quantizer
        carry_mask(layer, self)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The convolution with the rounded weights."""
        outputs: Tensor = self._conv_forward(input, self.rounded_weight(), self.bias)
        return outputs


class QuantizedConv2d(QuantizedLayer, nn.Conv2d):
    """A convolution with quantized weights, sharing its parameters and mask with `layer`."""

    def __init__(self, layer: nn.Conv2d, quantizer: WeightQuantizer) -> None:
        adopt_shape(self, layer)
        self.weight, self.bias, self.quantizer = layer.weight, layer.bias, quantizer
        carry_mask(layer, self)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The convolution with the rounded weights."""
        outputs: Tensor = self._conv_forward(input, self.rounded_weight(), self.bias)
        return outputs


class QuantizedLinear(QuantizedLayer, nn.Linear):
    """A linear layer with quantized weights, sharing its parameters and mask with `layer`."""

    def __init__(self, layer: nn.Linear, quantizer: WeightQuantizer) -> None:
        adopt_shape(self, layer)
        self.weight, self.bias, self.quantizer = layer.weight, layer.bias, quantizer
        carry_mask(layer, self)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The product with the rounded weights."""
        return nn.functional.linear(input, self.rounded_weight(), self.bias)


def quantized_layer(
    layer: WeightLayer,
    bits: int,
    method: WeightMethod = "max",
    granularity: Granularity = "channel",
) -> IntegerLayer:
    """A layer with the parameters of `layer` that rounds them to `bits` bits, as `weight_quantizer`
    does.

    A layer with a codebook is returned itself, changed in place: the entries of its codebook get
    the bits, and affine levels if the method is "affine". They have one scale whatever the
    granularity.
    """
    if isinstance(layer, CodebookLayer):
        layer.codebook.bits, layer.codebook.affine = bits, method == "affine"
        return layer
    quantizer = weight_quantizer(layer.weight, bits, method, granularity)
    if isinstance(layer, nn.Conv1d):
        return QuantizedConv1d(layer, quantizer)
    if isinstance(layer, nn.Conv2d):
        return QuantizedConv2d(layer, quantizer)
    return QuantizedLinear(layer, quantizer)


def integer_layer(layer: WeightLayer) -> IntegerLayer:
    """The integers of any layer: the layer itself, or a view of a plain one with 8-bit weights."""
    return layer if isinstance(layer, IntegerLayer) else quantized_layer(layer, DEFAULT_BITS)
