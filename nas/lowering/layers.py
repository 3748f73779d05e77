"""Convolutions and matrix products as integers."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.layers import Convolution, WeightLayer
from nas.lowering.groups import Group, Norm, plane
from nas.lowering.scalings import scaling, within_reach
from nas.mask import mask_of
from nas.program.biases import least_factor, with_biases
from nas.program.operations import Conv, Linear, Operation, Pad
from nas.program.operations.windows import Pair
from nas.program.scaling import Scaling
from nas.program.tensors import Shape, Signature
from nas.program.weights import IntegerWeights
from nas.program.zero_points import fitting_zero_points, wrapped
from nas.quantize import ChannelAffine, UnsupportedError, integer_layer

Factors = NDArray[np.float64]


def layer(group: Group, inputs: tuple[int, ...], signature: Signature) -> Operation:
    """The operation of a convolution or linear layer.

    Raises:
        UnsupportedError: if it pads in a way that has no integer form.
    """
    module = group.module
    assert isinstance(module, WeightLayer)
    result = signature.result
    scales = signature.source.scale, result.scale
    arrays = integers(module, group.norm, scales, result.zero, group.limits(result))
    if isinstance(module, nn.Linear):
        return Linear(group.name, inputs, *arrays)
    if isinstance(module, nn.Conv1d):
        weights = arrays[1]
        arrays = arrays[0], weights.with_rows(), arrays[2]
    # Margins of which one is wider are zeros that another operation adds before.
    (top, bottom), (left, right) = conv_margins(module, group.name)
    padding = (top, left) if (top, left) == (bottom, right) else (0, 0)
    stride, dilation = (plane(each, module, 1) for each in (module.stride, module.dilation))
    geometry = stride, padding, dilation, module.groups
    return Conv(group.name, inputs, *arrays, *geometry)


def conv_margins(conv: Convolution, name: str) -> tuple[Pair, Pair]:
    """The rows above and below, and the columns left and right, that a convolution adds.

    Raises:
        UnsupportedError: if it adds something other than zeros.
    """
    if conv.padding_mode != "zeros":
        raise UnsupportedError(
            f"{name!r} must pad with zeros, but has {conv.padding_mode!r}; use an nn.Conv2d with padding_mode='zeros'"
        )
    if conv.padding == "valid":
        return (0, 0), (0, 0)
    if conv.padding == "same":
        spans = plane(conv.dilation, conv, 1), plane(conv.kernel_size, conv, 1)
        totals = (d * (k - 1) for d, k in zip(*spans, strict=True))
        rows, columns = ((total // 2, total - total // 2) for total in totals)
        return rows, columns
    top, left = plane(conv.padding, conv, 0)
    return (top, top), (left, left)


def margin(group: Group, inputs: tuple[int, ...]) -> Operation | None:
    """The padding that a convolution needs before it, because its margins differ; None for any other
    layer.
    """
    if not isinstance(group.module, Convolution):
        return None
    rows, columns = conv_margins(group.module, group.name)
    if rows[0] == rows[1] and columns[0] == columns[1]:
        return None
    return Pad(f"{group.name}.pad", inputs, rows, columns)


@dataclass(frozen=True)
class Affine:
    """What a layer does to the sums of its levels: `gains` times the sum plus `offsets`, for each
    channel.
    """

    gains: Factors
    offsets: Factors


def affine(layer: WeightLayer, norm: Norm | None, scales: Tensor) -> Affine:
    """The gains and offsets of a layer with these scales of its weights, [out], batch normalization
    folded in.
    """
    gains = double(scales)
    offsets = np.zeros(len(gains)) if layer.bias is None else double(layer.bias)
    if norm is not None:
        slope = _slope(norm)
        gains, offsets = gains * slope, (offsets - double(norm.running_mean)) * slope
        offsets = offsets if norm.bias is None else offsets + double(norm.bias)
    return Affine(gains, offsets)


def integers(
    layer: WeightLayer,
    norm: Norm | None,
    scales: tuple[float, float],
    zero: int,
    limits: tuple[int, int],
) -> tuple[Scaling, IntegerWeights, NDArray[np.int32]]:
    """Scaling, weights and biases of a layer between tensors of these scales, source and result,
    of which the result has the zero point `zero`, with a clamp to `limits`.

    Batch normalization multiplies a channel by a constant. Each channel has its own scale, and its
    levels are symmetric or have a zero point of their own, so this changes scales and signs alone.
    """
    source, result = scales
    weights, found = _weights(layer, norm)
    factors, offsets = within_reach(
        source * np.abs(found.gains) / result, found.offsets / result, zero
    )
    # Weights of all but 0 still leave the biases.
    nearest = scaling(factors, limits, least_factor(offsets, weights))
    return with_biases(offsets, nearest, weights)


def _weights(layer: WeightLayer, norm: Norm | None) -> tuple[IntegerWeights, Affine]:
    """The weights of a layer, positive gains assumed, and its gains and offsets."""
    view, kept = integer_layer(layer), _kept(layer)
    (levels, scales), bits, entries = view.levels(), view.bits, view.entries
    if kept is not None:
        if bits == 1:
            raise UnsupportedError(
                "weights of 1 bit are never 0, so a layer with a mask must have at least 2 bits"
            )
        levels = levels * torch.from_numpy(kept)
    found = affine(layer, norm, scales)
    signs = np.where(found.gains < 0, np.int16(-1), np.int16(1))
    signed = levels.to(torch.int16).numpy() * signs.reshape(-1, *[1] * (levels.ndim - 1))
    if view.affine:
        zeros = fitting_zero_points(signed, bits)
        return IntegerWeights(wrapped(signed, bits), bits, zeros, entries, kept), found
    return IntegerWeights(signed.astype(np.int8), bits, None, entries, kept), found


def rescaled(group: Group, inputs: tuple[int, ...], signature: Signature) -> Operation:
    """The operation of a batch normalization, or of constants, for each channel of images: a
    convolution of single pixels, channel by channel, with weights 1, 0 or -1.

    Raises:
        UnsupportedError: if constants differ within a channel.
    """
    channels, *size = signature.source.shape
    shape = channels, *(size[1:] if group.signals else size)
    return rescaled_by(channel_affine(group.module, shape), group, inputs, signature)


def rescaled_by(
    found: Affine, group: Group, inputs: tuple[int, ...], signature: Signature
) -> Operation:
    """The operation that multiplies the channels of images by gains, and adds offsets."""
    scales = signature.source.scale, signature.result.scale
    result = signature.result
    arrays = rescaling(found, scales, result.zero, group.limits(result))
    return Conv(group.name, inputs, *arrays, (1, 1), (0, 0), (1, 1), len(found.gains))


def channel_affine(module: nn.Module | None, shape: Shape) -> Affine:
    """The gains and offsets of a normalization, or of constants, for a tensor [C, …].

    Raises:
        UnsupportedError: if constants differ within a channel.
    """
    if isinstance(module, ChannelAffine):
        gains, offsets = module.of_channels(shape)
        return Affine(gains.numpy(), offsets.numpy())
    assert isinstance(module, Norm)
    slope = _slope(module)
    offsets = -double(module.running_mean) * slope
    return Affine(slope, offsets if module.bias is None else offsets + double(module.bias))


def rescaling(
    found: Affine, scales: tuple[float, float], zero: int, limits: tuple[int, int]
) -> tuple[Scaling, IntegerWeights, NDArray[np.int32]]:
    """Scaling, weights and biases of channels times gains plus offsets, as `integers` returns those
    of a layer.
    """
    source, result = scales
    signs = np.where(found.gains < 0, np.int8(-1), np.int8(1)).reshape(-1, 1, 1, 1)
    weights = IntegerWeights(signs, 2)
    factors, offsets = within_reach(
        source * np.abs(found.gains) / result, found.offsets / result, zero
    )
    nearest = scaling(factors, limits, least_factor(offsets, weights))
    return with_biases(offsets, nearest, weights)


def _kept(layer: nn.Module) -> NDArray[np.bool_] | None:
    """The weights that the mask of a layer keeps; None where it has no mask."""
    mask = mask_of(layer)
    return None if mask is None else mask.kept.numpy()


def _slope(norm: Norm) -> Factors:
    slope: Factors = 1.0 / np.sqrt(double(norm.running_var) + norm.eps)
    return slope if norm.weight is None else slope * double(norm.weight)


def double(tensor: Tensor | None) -> Factors:
    """A tensor's values in 64-bit floats."""
    assert tensor is not None
    return tensor.detach().to(torch.float64).numpy()
