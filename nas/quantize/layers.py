"""Layers whose weights, and tensors whose values, are rounded to the levels of their integers."""

from typing import Any

import torch
from torch import Tensor, nn

from nas.mask import carry_mask

SHRINKAGE = 0.01


def weight_levels(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """The integer of each weight, -(2^(bits-1) - 1) … 2^(bits-1) - 1, and the scale of each output channel (dimension 0).

    The levels are the centres of equal bins between minus and plus the largest magnitude of the channel.
    """
    top = 2 ** (bits - 1) - 1
    # Slightly under half a bin beyond the outermost centre, or the largest weight would be rounded out of its bin.
    # A channel of zeros has no magnitude; any scale quantises it to zeros.
    scale = weight.detach().flatten(1).abs().amax(1).clamp_min(1e-30) / (top + 0.499)
    return (weight.detach() / _channels(scale, weight)).round_().clamp_(-top, top), scale


def _channels(scale: Tensor, weight: Tensor) -> Tensor:
    return scale.view(-1, *[1] * (weight.ndim - 1))


class _StraightThrough(torch.autograd.Function):
    """A value in the forward pass, the identity in the backward pass (Bengio et al., 2013)."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, value: Tensor) -> Tensor:  # noqa: ARG004 - torch's signature
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004 - torch's signature
        return gradients[0], None


def quantize_weight(weight: Tensor, bits: int) -> Tensor:
    """Each weight at its nearest level; none is clipped, so the gradient passes straight through to all of them."""
    levels, scale = weight_levels(weight, bits)
    quantized: Tensor = _StraightThrough.apply(weight, levels.mul_(_channels(scale, weight)))  # type: ignore[no-untyped-call]
    return quantized


class QuantizedConv2d(nn.Conv2d):
    """A convolution with weights of `bits` bits, one scale a channel."""

    def __init__(self, layer: nn.Conv2d, bits: int) -> None:
        geometry = (layer.stride, layer.padding, layer.dilation, layer.groups, layer.bias is not None, layer.padding_mode)
        super().__init__(layer.in_channels, layer.out_channels, layer.kernel_size, *geometry, device="meta")  # type: ignore[arg-type]
        self.weight, self.bias, self.bits = layer.weight, layer.bias, bits
        carry_mask(layer, self)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The convolution with the quantised weights."""
        outputs: Tensor = self._conv_forward(input, quantize_weight(self.weight, self.bits), self.bias)
        return outputs


class QuantizedLinear(nn.Linear):
    """A linear layer with weights of `bits` bits, one scale a channel."""

    def __init__(self, layer: nn.Linear, bits: int) -> None:
        super().__init__(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
        self.weight, self.bias, self.bits = layer.weight, layer.bias, bits
        carry_mask(layer, self)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The product with the quantised weights."""
        return nn.functional.linear(input, quantize_weight(self.weight, self.bits), self.bias)


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


class Range(nn.Module):
    """Rounds a tensor to 2^bits levels between the smallest and the largest value seen, zero among them.

    The range is that of calibration, then follows the batches seen in training: it widens at once and shrinks slowly, so
    that one range can serve several tensors. The gradient passes straight through inside the range and stops outside it.
    """

    low: Tensor
    high: Tensor

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    @property
    def top(self) -> int:
        """The largest integer."""
        return int(2**self.bits - 1)

    def levels(self) -> tuple[float, int]:
        """The scale, and the integer that stands for zero."""
        low, high = self.low.item(), self.high.item()
        # A scale that float32 holds: it is what a file stores.
        scale = float(torch.tensor(max((high - low) / self.top, 1e-8), dtype=torch.float32))
        return scale, min(round(-low / scale), self.top)

    def observe(self, x: Tensor) -> None:
        """Widens the range to hold `x`, or moves it a little towards that of `x`."""
        x = x.detach()  # two reductions, because aminmax() copies what is not contiguous
        low, high = x.amin().clamp_max(0.0), x.amax().clamp_min(0.0)
        self.low.lerp_(low, SHRINKAGE).clamp_(max=low)
        self.high.lerp_(high, SHRINKAGE).clamp_(min=high)

    def forward(self, x: Tensor) -> Tensor:
        """`x` with every element at its nearest level."""
        if self.training:
            self.observe(x)
        scale, zero = self.levels()
        # The zero point is whole, so x / scale rounds the same with and without it.
        nearest: Tensor = _NearestLevel.apply(x, scale, -zero, self.top - zero)  # type: ignore[no-untyped-call]
        return nearest
