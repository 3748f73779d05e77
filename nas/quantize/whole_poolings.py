"""Poolings whose window has the size of their input: `F.avg_pool2d(x, x.size(3))`."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

_KINDS: Mapping[object, tuple[int, type[nn.Module]]] = {
    functional.avg_pool1d: (1, nn.AdaptiveAvgPool1d),
    functional.avg_pool2d: (2, nn.AdaptiveAvgPool2d),
    **dict.fromkeys((functional.max_pool1d, torch.max_pool1d), (1, nn.AdaptiveMaxPool1d)),
    **dict.fromkeys((functional.max_pool2d, torch.max_pool2d), (2, nn.AdaptiveMaxPool2d)),
}
# What torch adds to a call, and changes nothing.
_DEFAULTS = {"padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False}
_SLICES = {1: (slice(2, None), slice(-1, None)), 2: (slice(2, None), slice(-2, None))}


def with_whole_poolings(
    traced: fx.GraphModule, replace: Callable[[fx.Node, nn.Module, fx.GraphModule], None]
) -> None:
    """Makes poolings over sizes of their input adaptive ones to a single pixel, in place; `replace`
    makes a node call a module.

    One size is taken to be that of both sides: where an image is no square, the outputs differ.
    """
    for node in list(traced.graph.nodes):
        if node.op == "call_function" and node.target in _KINDS:
            dimensions, kind = _KINDS[node.target]
            given = dict(zip(("kernel_size", "stride"), node.args[1:], strict=False))
            given |= node.kwargs
            kernel = given.pop("kernel_size", None)
            kernels = kernel if isinstance(kernel, (tuple, list)) else (kernel,)
            given.pop("stride", None)  # of the only window
            plain = len(node.args) <= 3 and given.items() <= _DEFAULTS.items()
            if plain and all(_is_size(kernel, node.args[0], dimensions) for kernel in kernels):
                replace(node, kind(1), traced)


def _is_size(size: Any, source: Any, dimensions: int) -> bool:
    """Whether a node gives the size, or the sizes, of the pixels of what the node `source` gives."""
    if not isinstance(size, fx.Node):
        return False
    pixels = range(2, 2 + dimensions)
    asked = (*pixels, *(at - 2 - dimensions for at in pixels))
    if size.target == "size" and len(size.args) == 2:
        return size.args[0] is source and size.args[1] in asked
    shape = size.args[0] if size.args else None
    if not isinstance(shape, fx.Node) or not _is_shape(shape, source) or len(size.args) != 2:
        return False
    return size.args[1] in asked or size.args[1] in _SLICES[dimensions]


def _is_shape(node: fx.Node, source: Any) -> bool:
    if node.target == "size":
        return node.args == (source,) and not node.kwargs
    return node.target is getattr and node.args == (source, "shape")
