"""Poolings as integers."""

import numpy as np
from torch import nn
from torch.nn import functional

from nas.lowering.groups import Group, pair
from nas.lowering.scalings import scaling
from nas.program.operations import AvgPool, MaxPool, Operation
from nas.program.operations.windows import Pair
from nas.program.tensors import Shape, Signature
from nas.quantize import UnsupportedError


def max_pool(group: Group, inputs: tuple[int, ...]) -> Operation:
    """The operation of an nn.MaxPool2d.

    Raises:
        UnsupportedError: if its windows have another form than those of the program.
    """
    module = group.module
    assert isinstance(module, nn.MaxPool2d)
    if module.ceil_mode or pair(module.dilation) != (1, 1):
        raise UnsupportedError(
            f"{group.name!r} must pool without ceil_mode and dilation, but is {module}"
        )
    kernel, stride, padding = pair(module.kernel_size), pair(module.stride), pair(module.padding)
    return MaxPool(group.name, inputs, kernel, stride, padding)


def mean(group: Group, inputs: tuple[int, ...], signature: Signature) -> Operation:
    """The operation of an average pooling.

    Raises:
        UnsupportedError: if its windows have another form than those of the program.
    """
    source, result = signature.source, signature.result
    if len(source.shape) != 3:
        raise UnsupportedError(
            f"{group.name!r} must pool images [C, H, W], but its input is {source.shape}"
        )
    if isinstance(group.module, nn.AvgPool2d):
        kernel, stride, padding = _given_windows(group.module, group.name)
    else:
        kernel = stride = _adaptive_windows(group, source.shape)
        padding = 0, 0
    factors = np.array([source.scale / (result.scale * kernel[0] * kernel[1])])
    requantized = scaling(factors, group.limits(result))
    return AvgPool(group.name, inputs, kernel, stride, padding, requantized)


def _given_windows(module: nn.AvgPool2d, name: str) -> tuple[Pair, Pair, Pair]:
    """Kernel, stride and padding."""
    padding = pair(module.padding)
    uneven = padding != (0, 0) and not module.count_include_pad
    if module.ceil_mode or module.divisor_override or uneven:
        raise UnsupportedError(
            f"{name!r} must average whole windows, padding included, but is {module}"
        )
    return pair(module.kernel_size), pair(module.stride), padding


def _adaptive_windows(group: Group, shape: Shape) -> Pair:
    """The kernel, which also is the stride, of a pooling to a given size."""
    size = pair(
        group.module.output_size
        if isinstance(group.module, nn.AdaptiveAvgPool2d)
        else group.argument(1, "output_size", None)
    )
    if group.node.target is functional.avg_pool2d or None in size:
        raise UnsupportedError(
            f"{group.name!r} must pool to a given size; use nn.AdaptiveAvgPool2d or nn.AvgPool2d"
        )
    if shape[1] % size[0] or shape[2] % size[1]:
        raise UnsupportedError(
            f"{group.name!r} must pool windows of one size, but {shape[1:]} is no multiple of {size}"
        )
    return shape[1] // size[0], shape[2] // size[1]
