"""Channels that are multiplied and shifted, as integers."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nas.lowering.groups import Group, Norm
from nas.lowering.layers import Affine, double, slope
from nas.lowering.scalings import scaling, within_reach
from nas.program.biases import least_factor, with_biases
from nas.program.operations import Conv, Operation
from nas.program.scaling import Scaling
from nas.program.tensors import Shape, Signature
from nas.program.weights import IntegerWeights
from nas.quantize import ChannelAffine


def rescaled(group: Group, inputs: tuple[int, ...], signature: Signature) -> Operation:
    """The operation of a batch normalization, or of constants, for each channel of images: a
    convolution of single pixels, channel by channel, with weights 1, 0 or -1.

    Raises:
        UnsupportedError: if constants differ within a channel.
    """
    channels, *size = signature.source.shape
    shape = channels, *(size[1:] if group.signals else size)
    return rescaled_by(channel_affine(group.module, group.name, shape), group, inputs, signature)


def rescaled_by(
    found: Affine, group: Group, inputs: tuple[int, ...], signature: Signature
) -> Operation:
    """The operation that multiplies the channels of images by gains, and adds offsets."""
    scales = signature.source.scale, signature.result.scale
    result = signature.result
    arrays = rescaling(found, scales, result.zero, group.limits(result))
    return Conv(group.name, inputs, *arrays, (1, 1), (0, 0), (1, 1), len(found.gains))


def channel_affine(module: nn.Module | None, name: str, shape: Shape) -> Affine:
    """The gains and offsets of a normalization, or of constants, of this name for a tensor [C, …].

    Raises:
        UnsupportedError: if constants differ within a channel.
    """
    if isinstance(module, ChannelAffine):
        of_channels = module.of_channels(name, shape)
        return Affine(*(values.numpy() for values in of_channels))
    assert isinstance(module, Norm)
    gain = slope(module)
    offsets = -double(module.running_mean) * gain
    return Affine(gain, offsets if module.bias is None else offsets + double(module.bias))


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
