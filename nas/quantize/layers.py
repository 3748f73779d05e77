"""Layers whose weights are rounded to the levels of their integers."""

import torch
from torch import Tensor, nn

from nas.mask import carry_mask
from nas.quantize.shared import SharedConv2d, SharedLinear
from nas.quantize.weight_levels import channels, weight_levels
from nas.quantize.weight_quantizers import WeightQuantizer, weight_quantizer

DEFAULT_BITS = 8


class QuantizedConv2d(nn.Conv2d):
    """A convolution with weights of `bits` bits, rounded by `quantizer`: as it is, to one scale a
    channel.
    """

    def __init__(
        self, layer: nn.Conv2d, bits: int, quantizer: WeightQuantizer | None = None
    ) -> None:
        geometry = (
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
            layer.bias is not None,
            layer.padding_mode,
        )
        super().__init__(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,  # type: ignore[arg-type]
            *geometry,  # type: ignore[arg-type]
            device="meta",
        )
        self.weight, self.bias, self.bits = layer.weight, layer.bias, bits
        self.quantizer = quantizer or weight_quantizer(layer.weight, bits)
        carry_mask(layer, self)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The convolution with the quantized weights."""
        outputs: Tensor = self._conv_forward(input, self.quantizer(self.weight), self.bias)
        return outputs


class QuantizedLinear(nn.Linear):
    """A linear layer with weights of `bits` bits, rounded by `quantizer`: as it is, to one scale a
    channel.
    """

    def __init__(
        self, layer: nn.Linear, bits: int, quantizer: WeightQuantizer | None = None
    ) -> None:
        super().__init__(
            layer.in_features, layer.out_features, layer.bias is not None, device="meta"
        )
        self.weight, self.bias, self.bits = layer.weight, layer.bias, bits
        self.quantizer = quantizer or weight_quantizer(layer.weight, bits)
        carry_mask(layer, self)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The product with the quantized weights."""
        return nn.functional.linear(input, self.quantizer(self.weight), self.bias)


def layer_levels(layer: nn.Conv2d | nn.Linear) -> tuple[Tensor, Tensor, int]:
    """The levels of a layer's weights, the scale of each channel, and the bits: 8 where the layer
    is not quantized.
    """
    if isinstance(layer, (QuantizedConv2d, QuantizedLinear)):
        return *layer.quantizer.levels(layer.weight), layer.bits
    if isinstance(layer, (SharedConv2d, SharedLinear)):
        return *layer.codebook.levels(), layer.codebook.bits
    return *weight_levels(layer.weight, DEFAULT_BITS), DEFAULT_BITS


def has_zero_points(layer: nn.Conv2d | nn.Linear) -> bool:
    """Whether the levels of a layer's weights are affine: any 2^bits whole numbers in a row, with 0
    among them.
    """
    if isinstance(layer, (SharedConv2d, SharedLinear)):
        return layer.codebook.affine
    return isinstance(layer, (QuantizedConv2d, QuantizedLinear)) and layer.quantizer.affine


def layer_entries(layer: nn.Conv2d | nn.Linear) -> int | None:
    """How many different weights a layer has at most; None where nothing but their bits bounds it."""
    return len(layer.codebook.values) if isinstance(layer, (SharedConv2d, SharedLinear)) else None


def rescale(layer: nn.Conv2d | nn.Linear, ratio: Tensor) -> None:
    """Multiplies the weights of each channel in place, [out], and keeps their levels."""
    with torch.no_grad():
        if isinstance(layer, (SharedConv2d, SharedLinear)):
            # All channels have the same scale, and so the same ratio, but for those without
            # weights.
            layer.codebook.values.mul_(ratio.max())
            return
        layer.weight.mul_(channels(ratio, layer.weight))
    if isinstance(layer, (QuantizedConv2d, QuantizedLinear)):
        layer.quantizer.rescale(ratio)
