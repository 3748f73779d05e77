"""Convolutions and matrix products as integers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.layers import WeightLayer
from nas.lowering.groups import Group, Norm, plane
from nas.lowering.margins import conv_margins
from nas.lowering.scalings import scaling, within_reach
from nas.mask import mask_of
from nas.program.biases import least_factor, with_biases
from nas.program.operations import Conv, Linear, Operation
from nas.program.scaling import Scaling
from nas.program.tensors import Signature
from nas.program.weights import IntegerWeights
from nas.program.zero_points import fitting_zero_points, wrapped
from nas.quantize import UnsupportedError, integer_layer

Factors = NDArray[np.float64]


def layer(
    group: Group,
    inputs: tuple[int, ...],
    signature: Signature,
    made: Callable[..., tuple[Scaling, IntegerWeights, NDArray[np.int32]]] | None = None,
) -> Operation:
    """The operation of a convolution or linear layer, whose arrays `made` makes (None: `integers`).

    Raises:
        UnsupportedError: if it pads in a way that has no integer form, or is linear and reads an image.
    """
    module = group.module
    assert isinstance(module, WeightLayer)
    if isinstance(module, nn.Linear) and len(signature.source.shape) != 1:
        raise UnsupportedError(
            f"{group.name!r} must read features [N, F], but reads {list(signature.source.shape)} of each sample: use an nn.Conv1d "
            "or nn.Conv2d of one pixel for channels"
        )
    result = signature.result
    scales = signature.source.scale, result.scale
    arrays = (made or integers)(module, group.norm, scales, result.zero, group.limits(result))
    if isinstance(module, nn.Linear):
        return Linear(group.name, inputs, *arrays)
    if isinstance(module, nn.Conv1d):
        weights = arrays[1]
        arrays = arrays[0], weights.with_rows(), arrays[2]
    # Margins of which one is wider are zeros that another operation adds before.
    (top, bottom), (left, right) = conv_margins(module, group.name)
    padding = (top, left) if (top, left) == (bottom, right) else (0, 0)
    stride, dilation = (plane(each, module, 1) for each in (module.stride, module.dilation))
    return Conv(group.name, inputs, *arrays, stride, padding, dilation, module.groups)


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
        steepness = slope(norm)
        gains = gains * steepness
        offsets = (offsets - double(norm.running_mean)) * steepness
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
    view, kept = integer_layer(layer), kept_weights(layer)
    (levels, scales), bits, entries = view.levels(), view.bits, view.entries
    check_masked(bits, kept)
    if kept is not None:
        levels = levels * torch.from_numpy(kept)
    found = affine(layer, norm, scales)
    # Symmetric levels fit a byte whatever their sign.
    signed = levels.to(torch.int16 if view.affine else torch.int8).numpy()
    if (turned := found.gains < 0).any():
        signed[turned] = -signed[turned]
    if view.affine:
        zeros = fitting_zero_points(signed, bits)
        return IntegerWeights(wrapped(signed, bits), bits, zeros, entries, kept), found
    return IntegerWeights(signed, bits, None, entries, kept), found


def check_masked(bits: int, kept: NDArray[np.bool_] | None) -> None:
    """Refuses a mask of weights that have no 0.

    Raises:
        UnsupportedError: if weights of 1 bit have a mask.
    """
    if kept is not None and bits == 1:
        raise UnsupportedError(
            "weights of 1 bit are never 0, so a layer with a mask must have at least 2 bits"
        )


def kept_weights(layer: nn.Module) -> NDArray[np.bool_] | None:
    """The weights that the mask of a layer keeps; None where it has no mask."""
    mask = mask_of(layer)
    return None if mask is None else mask.kept.numpy()


def slope(norm: Norm) -> Factors:
    """What a batch normalization multiplies each channel by, [C]."""
    found: Factors = 1.0 / np.sqrt(double(norm.running_var) + norm.eps)
    return found if norm.weight is None else found * double(norm.weight)


def double(tensor: Tensor | None) -> Factors:
    """A tensor's values in 64-bit floats."""
    assert tensor is not None
    return tensor.detach().to(torch.float64).numpy()
