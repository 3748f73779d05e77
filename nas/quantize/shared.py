"""Layers whose weights are few values: a codebook, and for each weight the index of its value (Han
et al., 2016).
"""

from typing import Self

import torch
from torch import Tensor, nn

from nas.mask import carry_mask
from nas.quantize.weight_levels import affine_levels, straight_through, weight_levels

# A gain of exactly 0 could not be scaled to what 16 bits hold.
SMALLEST_GAIN = 1e-6


class Codebook(nn.Module):
    """The weights `values[assignments]`; values that are 0 stay 0, and the gradient of a value is
    the sum of its weights'.

    The values are rounded to levels of `bits` bits, symmetric or affine ones, with one scale for
    all of them.
    """

    assignments: Tensor
    free: Tensor

    def __init__(
        self, values: Tensor, assignments: Tensor, bits: int, affine: bool = False
    ) -> None:
        super().__init__()
        self.shape, self.bits, self.affine = assignments.shape, bits, affine
        self.values = nn.Parameter(values.detach().clone())
        # Flat, because layers are turned to have their channels last, and in the narrowest integers
        # that select.
        self.register_buffer("assignments", assignments.flatten().to(torch.int32))
        self.register_buffer("free", (values != 0).to(values.dtype))

    def forward(self) -> Tensor:
        """The rounded weights, with a gradient that passes straight through the rounding."""
        row = (self.values * self.free)[None]
        weights = self._selected(straight_through(row, *self._rounded(row)))
        # Convolutions take their layout from that of the weights, and with channels last they run a
        # quarter faster.
        return (
            torch.empty(self.shape, memory_format=torch.channels_last).copy_(weights)
            if weights.ndim == 4
            else weights
        )

    def unrounded(self) -> Tensor:
        """The weights before they are rounded."""
        return self._selected(self.values * self.free)

    def levels(self) -> tuple[Tensor, Tensor]:
        """The integer level of each weight, and the scale of each output channel, [out]."""
        levels, scale = self._rounded((self.values * self.free)[None])
        return self._selected(levels), scale.repeat(self.shape[0])

    def _rounded(self, row: Tensor) -> tuple[Tensor, Tensor]:
        return affine_levels(row, self.bits) if self.affine else weight_levels(row, self.bits)

    def _selected(self, values: Tensor) -> Tensor:
        return values.flatten().index_select(0, self.assignments).view(self.shape)


class SharedConv2d(nn.Conv2d):
    """A convolution whose weights are `codebook[assignments]`."""

    def __init__(self, layer: nn.Conv2d, codebook: Codebook) -> None:
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
        del self._parameters["weight"]
        self.bias, self.codebook = layer.bias, codebook
        carry_mask(layer, self)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The weights before they are rounded."""
        return self.codebook.unrounded()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The convolution with the rounded weights."""
        outputs: Tensor = self._conv_forward(input, self.codebook(), self.bias)
        return outputs


class SharedLinear(nn.Linear):
    """A linear layer whose weights are `codebook[assignments]`."""

    def __init__(self, layer: nn.Linear, codebook: Codebook) -> None:
        super().__init__(
            layer.in_features, layer.out_features, layer.bias is not None, device="meta"
        )
        del self._parameters["weight"]
        self.bias, self.codebook = layer.bias, codebook
        carry_mask(layer, self)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The weights before they are rounded."""
        return self.codebook.unrounded()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The product with the rounded weights."""
        return nn.functional.linear(input, self.codebook(), self.bias)


def dense(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """The layer with weights of its own, unrounded, if it is one that shares them, or else itself."""
    made: nn.Conv2d | nn.Linear
    if isinstance(layer, SharedConv2d):
        geometry = (
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
            layer.bias is not None,
            layer.padding_mode,
        )
        made = nn.Conv2d(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,  # type: ignore[arg-type]
            *geometry,  # type: ignore[arg-type]
            device="meta",
        )
    elif isinstance(layer, SharedLinear):
        made = nn.Linear(
            layer.in_features, layer.out_features, layer.bias is not None, device="meta"
        )
    else:
        return layer
    made.weight, made.bias = nn.Parameter(layer.weight.detach()), layer.bias
    return made.train(layer.training)


class PositiveNorm1d(nn.BatchNorm1d):
    """Batch normalization with positive gains: negative ones would turn the signs of channels and
    so double a codebook.
    """

    def train(self, mode: bool = True) -> Self:
        """Training mode or evaluation mode, in which a network is lowered; gains that a step made
        negative are raised first.
        """
        _raise_gains(self)
        return super().train(mode)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The normalized input; gains that a step made negative are raised first."""
        _raise_gains(self)
        return super().forward(input)


class PositiveNorm2d(nn.BatchNorm2d):
    """Batch normalization with positive gains: negative ones would turn the signs of channels and
    so double a codebook.
    """

    def train(self, mode: bool = True) -> Self:
        """Training mode or evaluation mode, in which a network is lowered; gains that a step made
        negative are raised first.
        """
        _raise_gains(self)
        return super().train(mode)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The normalized input; gains that a step made negative are raised first."""
        _raise_gains(self)
        return super().forward(input)


def _raise_gains(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    with torch.no_grad():
        norm.weight.clamp_min_(SMALLEST_GAIN)


def with_positive_gains(
    norm: nn.BatchNorm1d | nn.BatchNorm2d, layer: nn.Conv2d | nn.Linear
) -> nn.Module:
    """The same normalization with positive gains; channels of negative ones are turned in place, in
    the layer before it too.
    """
    kind = PositiveNorm1d if isinstance(norm, nn.BatchNorm1d) else PositiveNorm2d
    made = kind(norm.num_features, norm.eps, norm.momentum, True, norm.track_running_stats)
    with torch.no_grad():
        signs = torch.where(norm.weight < 0, -1.0, 1.0)
        layer.weight.mul_(signs.view(-1, *[1] * (layer.weight.ndim - 1)))
        norm.weight.mul_(signs)
        for tensor in (layer.bias, norm.running_mean):
            if tensor is not None:
                tensor.mul_(signs)
    made.weight, made.bias = norm.weight, norm.bias
    made.running_mean, made.running_var, made.num_batches_tracked = (
        norm.running_mean,
        norm.running_var,
        norm.num_batches_tracked,
    )
    return made.train(norm.training)
