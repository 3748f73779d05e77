"""Poolings as integers."""

from math import ceil
from typing import Any

import numpy as np
from torch import nn

from nas.lowering.groups import Group, pair, plane
from nas.lowering.scalings import scaling
from nas.program.operations import AvgPool, EdgeAvgPool, EdgeMaxPool, MaxPool, Operation
from nas.program.operations.windows import Pair
from nas.program.tensors import Shape, Signature, TensorType
from nas.quantize import UnsupportedError

MAXIMA = (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
"""The modules that a maximum pooling is of."""

_ADAPTIVE = (
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d),
)

Windows = tuple[Pair, Pair, Pair, Pair]
"""Kernel, stride, padding, and how much further windows reach below and to the right."""


def max_pool(group: Group, inputs: tuple[int, ...], source: TensorType) -> Operation:
    """The operation of a maximum pooling.

    Raises:
        UnsupportedError: if its windows have another form than those of the program.
    """
    module = group.module
    assert isinstance(module, MAXIMA)
    if module.return_indices:
        raise UnsupportedError(f"{group.name!r} must give maxima alone, but is {module}")
    if getattr(module, "dilation", 1) not in (1, (1,), (1, 1)):
        raise UnsupportedError(f"{group.name!r} must pool without dilation, but is {module}")
    kernel, stride, padding, extra = pool_windows(module, group.name, source.shape)
    if any(extra):
        return EdgeMaxPool(group.name, inputs, kernel, stride, padding, extra)
    return MaxPool(group.name, inputs, kernel, stride, padding)


def mean(group: Group, inputs: tuple[int, ...], signature: Signature) -> Operation:
    """The operation of an average pooling.

    Raises:
        UnsupportedError: if its windows have another form than those of the program.
    """
    module, source, result = group.module, signature.source, signature.result
    kernel, stride, padding, extra = pool_windows(module, group.name, source.shape)
    unit, limits = source.scale / result.scale, group.limits(result)
    divisor = getattr(module, "divisor_override", None)
    if divisor is None and counts_edges(module, padding, extra, group.name):
        windows = kernel, stride, padding, scaling(np.ones(1), limits), extra
        pixels = np.unique(EdgeAvgPool(group.name, inputs, *windows).pixels(source.shape))
        if len(pixels) > 1 or any(extra):
            factors = scaling(unit / pixels, limits)
            return EdgeAvgPool(group.name, inputs, kernel, stride, padding, factors, extra)
    elif any(extra):
        raise UnsupportedError(
            f"{group.name!r} must pool without ceil_mode where it has a divisor, but is {module}"
        )
    factors = scaling(np.array([unit / (divisor or kernel[0] * kernel[1])]), limits)
    return AvgPool(group.name, inputs, kernel, stride, padding, factors)


def counts_edges(module: Any, padding: Pair, extra: Pair, name: str) -> bool:
    """Whether an average pooling divides by the pixels of the image alone.

    Raises:
        UnsupportedError: if it divides by those of the padding too, but not by those beyond it.
    """
    if not any(padding):
        return any(extra)
    included = module.count_include_pad
    if included and any(extra):
        raise UnsupportedError(
            f"{name!r} must pool with count_include_pad=False where ceil_mode adds windows to a padding, but is {module}"
        )
    return not included


def pool_windows(module: Any, name: str, shape: Shape) -> Windows:
    """The windows of a pooling of images [C, H, W], or of signals as images of one row.

    Raises:
        UnsupportedError: if an adaptive pooling has windows of several sizes.
    """
    if len(shape) != 3:
        raise UnsupportedError(f"{name!r} must pool images [C, H, W], but its input is {shape}")
    size = shape[1], shape[2]
    if isinstance(module, _ADAPTIVE):
        kernel = _adaptive_kernel(plane(module.output_size, module, size[0]), name, size)
        return kernel, kernel, (0, 0), (0, 0)
    kernel, stride = plane(module.kernel_size, module, 1), plane(module.stride, module, 1)
    padding = plane(module.padding, module, 0)
    extra = (0, 0)
    if module.ceil_mode:
        extra = pair([_extra(*axis) for axis in zip(size, kernel, stride, padding, strict=True)])
    return kernel, stride, padding, extra


def _extra(size: int, kernel: int, stride: int, padding: int) -> int:
    """By how many pixels the last window passes the padding when their number is rounded up."""
    last = ceil((size + 2 * padding - kernel) / stride)
    if last * stride >= size + padding:  # a window that would begin in the padding is left out
        last -= 1
    return max(0, last * stride + kernel - size - 2 * padding)


def _adaptive_kernel(output: Any, name: str, size: Pair) -> Pair:
    """The kernel, which also is the stride, of a pooling to a given size."""
    rows, columns = (
        wide if given is None else given for given, wide in zip(pair(output), size, strict=True)
    )
    if size[0] % rows or size[1] % columns:
        raise UnsupportedError(
            f"{name!r} must pool windows of one size, but {size} is no multiple of {(rows, columns)}"
        )
    return size[0] // rows, size[1] // columns
