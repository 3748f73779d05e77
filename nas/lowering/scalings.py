"""Real factors as the 16-bit multipliers and shifts of the program, and layers as integers."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.layers import WeightLayer
from nas.mask import mask_of
from nas.program.biases import bias_units, with_biases
from nas.program.operations import (
    MAX_MULTIPLIER,
    MAX_SHIFT,
    MIN_SHIFT,
    Scaling,
    TensorType,
    Weights,
    ZeroPoints,
)
from nas.program.zero_points import fitting_zero_points, level_bits, wrapped
from nas.quantize import UnsupportedError, integer_layer

Factors = NDArray[np.float64]
Norm = nn.BatchNorm1d | nn.BatchNorm2d


def scaling(factors: Factors, low: int, high: int) -> Scaling:
    """The multipliers of least common error: the largest factor takes all 16 bits, and the others
    its shift.
    """
    largest = float(factors.max())
    exponent = MAX_SHIFT if largest == 0 else math.floor(math.log2(MAX_MULTIPLIER / largest))
    shift = min(max(exponent, MIN_SHIFT), MAX_SHIFT)
    multipliers = np.clip(np.rint(factors * 2.0**shift), 0, MAX_MULTIPLIER).astype(np.uint16)
    return Scaling(multipliers, shift, low, high)


@dataclass(frozen=True)
class Affine:
    """What a layer does to the sums of its levels: `gains` times the sum plus `offsets`, for each
    channel.
    """

    gains: Factors
    offsets: Factors


def affine(layer: WeightLayer, norm: Norm | None, scales: Tensor) -> Affine:
    """The gains and offsets of a layer whose channels have weights of these scales, batch
    normalization folded in.
    """
    gains = _double(scales)
    offsets = np.zeros(len(gains)) if layer.bias is None else _double(layer.bias)
    if norm is not None:
        slope = _slope(norm)
        gains, offsets = gains * slope, (offsets - _double(norm.running_mean)) * slope
        offsets = offsets if norm.bias is None else offsets + _double(norm.bias)
    return Affine(gains, offsets)


def integers(
    layer: WeightLayer,
    norm: Norm | None,
    source: TensorType,
    result: TensorType,
    low: int,
    high: int,
) -> tuple[Weights, int, NDArray[np.int32], Scaling, ZeroPoints | None]:
    """Weights, their bits, biases, multipliers, and zero points where levels are affine.

    Batch normalization multiplies a channel by a constant. Each channel has a scale of its own, and
    levels are symmetric or have a zero point of their channel's own, so it changes the scale, or
    the signs, and no level.
    """
    integer = integer_layer(layer)
    bits, (levels, scales) = integer.bits, integer.levels()
    if (mask := kept(layer)) is not None:
        if bits == 1:
            raise UnsupportedError(
                "weights of 1 bit are never 0, so a layer with a mask must have at least 2 bits"
            )
        levels = levels * torch.from_numpy(mask)
    found = affine(layer, norm, scales)
    signs = np.where(found.gains < 0, np.int16(-1), np.int16(1)).reshape(
        -1, *[1] * (levels.ndim - 1)
    )
    signed, zeros = levels.to(torch.int16).numpy() * signs, None
    weights = signed.astype(np.int8)
    if integer.affine:
        weights, zeros = wrapped(signed, bits), fitting_zero_points(signed, bits)
    stored = scaling(source.scale * np.abs(found.gains) / result.scale, low, high)
    weights, biases, stored = with_biases(
        found.offsets / result.scale, stored, weights, level_bits(bits, zeros), integer.entries
    )
    return weights, bits, biases, stored, zeros


def kept(layer: nn.Module) -> NDArray[np.bool_] | None:
    """The weights that the mask of a layer leaves it; None where it has no mask."""
    mask = mask_of(layer)
    return None if mask is None else mask.kept.numpy()


def snap(layer: WeightLayer, norm: Norm | None, source: TensorType, result: TensorType) -> None:
    """Moves a layer, in place and by about a hundredth of a step at most, to where its multipliers
    and biases are exact.
    """
    weights, bits, biases, stored, zeros = integers(layer, norm, source, result, 0, 0)
    integer = integer_layer(layer)
    _, scales = integer.levels()
    found = affine(layer, norm, scales)
    wanted = stored.multipliers * 0.5**stored.shift * result.scale / source.scale
    ratio = np.divide(wanted, np.abs(found.gains), out=np.ones_like(wanted), where=found.gains != 0)
    ratio[~weights.reshape(len(ratio), -1).any(1)] = 0.0
    offsets = biases * bias_units(stored, level_bits(bits, zeros)) * result.scale
    with torch.no_grad():
        if norm is not None and norm.weight is not None and norm.bias is not None:
            norm.weight.mul_(torch.from_numpy(ratio))
            shift = affine(layer, norm, scales).offsets - _double(norm.bias)
            norm.bias.copy_(torch.from_numpy(offsets - shift))
        elif norm is None:
            integer.rescale(torch.from_numpy(ratio).to(layer.weight.dtype))
            if layer.bias is not None:
                layer.bias.copy_(torch.from_numpy(offsets))


def _slope(norm: Norm) -> Factors:
    slope: Factors = 1.0 / np.sqrt(_double(norm.running_var) + norm.eps)
    return slope if norm.weight is None else slope * _double(norm.weight)


def _double(tensor: Tensor | None) -> Factors:
    assert tensor is not None
    return tensor.detach().to(torch.float64).numpy()
