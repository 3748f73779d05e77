"""Batch normalization with positive gains: a negative one negates the levels of its channel, and so
doubles a codebook.
"""

from typing import Self

import torch
from torch import Tensor, nn

from nas.layers import WeightLayer
from nas.quantize.weight_levels import channels

Norm = nn.BatchNorm1d | nn.BatchNorm2d

# A gain of exactly 0 has no multiplier of 16 bits.
SMALLEST_GAIN = 1e-6


class PositiveNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalization whose gains are kept positive; abstract."""

    def train(self, mode: bool = True) -> Self:
        """Sets the mode, and raises gains that the last step made negative: a network is lowered in
        evaluation mode.
        """
        self._raise_gains()
        return super().train(mode)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        """The normalized input, after raising gains that a step made negative."""
        self._raise_gains()
        return super().forward(input)

    def _raise_gains(self) -> None:
        with torch.no_grad():
            self.weight.clamp_min_(SMALLEST_GAIN)


class PositiveNorm1d(PositiveNorm, nn.BatchNorm1d):
    """Batch normalization of features [N, C] with positive gains."""


class PositiveNorm2d(PositiveNorm, nn.BatchNorm2d):
    """Batch normalization of images [N, C, H, W] with positive gains."""


def with_positive_gains(norm: Norm, signs: Tensor) -> PositiveNorm:
    """The same normalization with positive gains, sharing parameters with `norm`, of channels that
    were multiplied by `signs`, [channels] of -1 and 1: the signs of the gains of `norm`.

    Gains and running means are multiplied by them in place.
    """
    kind = PositiveNorm1d if isinstance(norm, nn.BatchNorm1d) else PositiveNorm2d
    positive = kind(norm.num_features, norm.eps, norm.momentum, True, norm.track_running_stats)
    with torch.no_grad():
        for tensor in (norm.weight, norm.running_mean):
            if tensor is not None:
                tensor.mul_(signs)
    positive.weight, positive.bias = norm.weight, norm.bias
    positive.running_mean, positive.running_var = norm.running_mean, norm.running_var
    positive.num_batches_tracked = norm.num_batches_tracked
    return positive.train(norm.training)


def negate_channels(layer: WeightLayer, signs: Tensor) -> None:
    """Multiplies the output channels of a layer by `signs`, [out] of -1 and 1, in place."""
    with torch.no_grad():
        layer.weight.mul_(channels(signs, layer.weight))
        if layer.bias is not None:
            layer.bias.mul_(signs)
