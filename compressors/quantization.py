"""Fake-quantised training: layers that compute with the values their integers stand for."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nas.compress import layers_at

BIT_WIDTHS = range(2, 9)
RANGE_MOMENTUM = 0.05
SCALE_BITS = BIAS_BITS = 32
ACTIVATION_RANGE_BITS = 32 + 8


def quantize_weight(weight: Tensor, bits: int) -> Tensor:
    """The nearest of 2^bits - 1 symmetric levels for each weight, with one scale for each output channel (dimension 0).

    The levels are the centres of equal bins between minus and plus the largest magnitude of the channel, so none is
    clipped, and the gradient passes straight through to every weight (Bengio et al., 2013).
    """
    top = 2 ** (bits - 1) - 1
    # Slightly under half a bin beyond the outermost centre, or the largest weight would be rounded out of its bin.
    # A channel of zeros has no magnitude; any scale quantises it to zeros.
    scale = weight.detach().flatten(1).abs().amax(1).clamp_min(1e-30) / (top + 0.499)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    quantized: Tensor = torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -top, top)
    return quantized


class _NearestLevel(torch.autograd.Function):
    """Rounds to the multiples `low` … `high` of a scale; the gradient passes where nothing is clipped.

    Plain numbers, because kernels that take them read a tensor once: a third of the time of torch's own operator.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.inside = (low - 0.5) * scale, (high + 0.5) * scale
        return x.div(scale).round_().clamp_(low, high).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradients[0], x, *ctx.inside), None, None, None


class ActivationRange(nn.Module):
    """Quantises a tensor to 2^bits levels between the smallest and the largest value seen, zero among them.

    The range is that of the calibration batch, then moves with the batches seen in training. The gradient passes straight
    through inside the range and stops outside it.
    """

    low: Tensor
    high: Tensor

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.top = 2**bits - 1
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    def observe(self, x: Tensor, momentum: float) -> None:
        """Moves the range towards that of `x`; a momentum of 1 replaces it."""
        x = x.detach()  # two reductions, because aminmax() copies what is not contiguous
        self.low.lerp_(x.amin().clamp_max(0.0), momentum)
        self.high.lerp_(x.amax().clamp_min(0.0), momentum)

    def forward(self, x: Tensor) -> Tensor:
        """`x` with every element at its nearest level."""
        if self.training:
            self.observe(x, RANGE_MOMENTUM)
        low, high = self.low.item(), self.high.item()
        scale = max((high - low) / self.top, 1e-8)
        # The zero point is whole, so that zero itself is a level and x / scale rounds the same with and without it.
        zero = round(-low / scale)
        nearest: Tensor = _NearestLevel.apply(x, scale, -zero, self.top - zero)  # type: ignore[no-untyped-call]
        return nearest


class QuantizedConv2d(nn.Conv2d):
    """A convolution whose weights, one scale a channel, and inputs are fake-quantised."""

    def __init__(self, layer: nn.Conv2d, bits: int, activation_bits: int) -> None:
        geometry = (layer.stride, layer.padding, layer.dilation, layer.groups, layer.bias is not None, layer.padding_mode)
        super().__init__(layer.in_channels, layer.out_channels, layer.kernel_size, *geometry, device="meta")  # type: ignore[arg-type]
        self.weight, self.bias = layer.weight, layer.bias
        self.bits = bits
        self.input_range = ActivationRange(activation_bits)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The convolution of the quantised input with the quantised weights."""
        outputs: Tensor = self._conv_forward(self.input_range(input), quantize_weight(self.weight, self.bits), self.bias)
        return outputs

    def stored_bits(self) -> Mapping[str, int]:
        """Bits of weights, scales, biases and the input's range."""
        return _stored_bits(self.weight, self.bits)


class QuantizedLinear(nn.Linear):
    """A linear layer whose weights, one scale a channel, and inputs are fake-quantised."""

    def __init__(self, layer: nn.Linear, bits: int, activation_bits: int) -> None:
        super().__init__(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.bits = bits
        self.input_range = ActivationRange(activation_bits)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The product of the quantised input with the quantised weights."""
        return nn.functional.linear(self.input_range(input), quantize_weight(self.weight, self.bits), self.bias)

    def stored_bits(self) -> Mapping[str, int]:
        """Bits of weights, scales, biases and the input's range."""
        return _stored_bits(self.weight, self.bits)


def _stored_bits(weight: Tensor, bits: int) -> Mapping[str, int]:
    channels = weight.shape[0]
    # Integer arithmetic needs a bias in every channel, to take up the zero point of the input.
    return {
        "weights": weight.numel() * bits,
        "scales": channels * SCALE_BITS,
        "biases": channels * BIAS_BITS,
        "activation range": ACTIVATION_RANGE_BITS,
    }


@dataclass(frozen=True)
class Quantization:
    """Fake-quantised training at 2 to 8 bits: weights at the chosen width, inputs of the layers at `activation_bits`.

    A site stands for every convolution and linear layer at or below it; where two sites hold the same layer, the inner one
    decides. Batch normalisation behind a layer stays while it is trained, and is folded where the network is stored:
    levels that are symmetric and have a scale for each channel are the same before and after, up to that scale.

    Raises:
        ValueError: if a bit-width is not in 2 … 8.
    """

    activation_bits: int = 8
    kind: str = "bits"

    def __post_init__(self) -> None:
        _check_bits(self.activation_bits, "activations")

    def apply(self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor) -> nn.Module:
        """The network with its layers at the chosen bit-widths, ranges calibrated on `example`."""
        bits: dict[nn.Module, int] = {}
        for site in sorted(settings, key=len):
            chosen = _check_bits(settings[site], site)
            bits |= dict.fromkeys(layers_at(model, site).values(), chosen)
        quantized = {layer: _quantized(layer, width, self.activation_bits) for layer, width in bits.items()}
        # A layer that is used twice may have several names.
        for name, module in list(model.named_modules(remove_duplicate=False)):
            if module in quantized:
                model.set_submodule(name, quantized[module])
        _calibrate(model, example)
        return model


def _quantized(layer: nn.Module, bits: int, activation_bits: int) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        return QuantizedConv2d(layer, bits, activation_bits)
    assert isinstance(layer, nn.Linear)
    return QuantizedLinear(layer, bits, activation_bits)


def _check_bits(bits: Hashable, where: str) -> int:
    if isinstance(bits, bool) or not isinstance(bits, int) or bits not in BIT_WIDTHS:
        raise ValueError(f"bits must be one of {tuple(BIT_WIDTHS)}, but got {bits!r} at {where!r}")
    return bits


def _calibrate(model: nn.Module, example: Tensor) -> None:
    ranges = [module for module in model.modules() if isinstance(module, ActivationRange)]
    for module in ranges:
        module.observe(torch.zeros(1), 1.0)
    hooks = [module.register_forward_pre_hook(_widen) for module in ranges]
    model.eval()
    with torch.no_grad():
        model(example)
    for hook in hooks:
        hook.remove()


def _widen(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    # A layer that is used twice must hold what it meets in both places.
    assert isinstance(module, ActivationRange)
    module.observe(torch.stack([module.low, module.high, *inputs[0].aminmax()]), 1.0)
