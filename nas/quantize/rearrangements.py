"""Rearrangements: views, slices, transpositions and splits, as selections and shapes."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from nas.tracing import UnsupportedError, module_at

Shape = tuple[int, ...]

MODULES = (nn.Flatten, nn.Unflatten, nn.ChannelShuffle, nn.PixelShuffle, nn.PixelUnshuffle)
"""Modules that rearrange elements."""

_NAMES = (
    *("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "contiguous"),
    *("transpose", "permute", "swapaxes", "movedim", "flip", "narrow"),
    *("chunk", "split", "tensor_split", "unbind", "select"),
    *("repeat", "tile", "repeat_interleave", "roll"),
)
FUNCTIONS: tuple[object, ...] = (
    operator.getitem,
    *_NAMES,
    *(getattr(torch, name) for name in _NAMES if hasattr(torch, name)),
    *(torch.channel_shuffle, torch.pixel_shuffle, torch.pixel_unshuffle),
)
"""Functions and names of methods that rearrange elements."""

_SIZES = ("size", "dim", "numel")
_ARITHMETIC = (
    *(operator.getitem, operator.add, operator.sub, operator.mul, operator.floordiv),
    *(operator.truediv, operator.mod, operator.neg, int),
)


@dataclass(frozen=True)
class Entries:
    """A selection of entries of the first dimension, in this order."""

    indices: NDArray[np.int64]


@dataclass(frozen=True)
class Reshaped:
    """Another shape of the same elements in the same order."""

    shape: Shape


@dataclass(frozen=True)
class Strided:
    """Of a signal or an image in each dimension behind the channels `counts` elements, from `starts`
    on in steps of `steps`.
    """

    starts: tuple[int, ...]
    steps: tuple[int, ...]
    counts: tuple[int, ...]


Step = Entries | Reshaped | Strided


@dataclass(frozen=True)
class Rearrangement:
    """What a node makes of the tensor `source`: the steps, one after the other, to a shape."""

    source: fx.Node
    shape: Shape
    steps: tuple[Step, ...]


def is_size(node: fx.Node) -> bool:
    """Whether a node gives numbers that follow from the shape of a tensor."""
    if node.op == "call_method":
        return node.target in _SIZES
    if node.target is getattr:
        return node.args[1] in ("shape", "ndim")
    sources = node.all_input_nodes
    return node.target in _ARITHMETIC and bool(sources) and all(map(is_size, sources))


def is_rearrangement(node: fx.Node, model: nn.Module) -> bool:
    """Whether a node gives elements of a tensor in another order or shape, or several such."""
    if node.op == "call_module":
        return isinstance(module_at(model, str(node.target)), MODULES)
    return node.op in ("call_function", "call_method") and node.target in FUNCTIONS


def is_read(node: fx.Node, model: nn.Module) -> bool:
    """Whether anything but rearrangements and sizes reads a node."""
    return not all(is_size(user) or is_rearrangement(user, model) for user in node.users)


def rearrangement(
    node: fx.Node, model: nn.Module, shape_of: Callable[[fx.Node], Shape | None]
) -> Rearrangement:
    """What a rearrangement and those before it make of the tensor that the first of them reads.

    `shape_of` gives the shape of a tensor without the batch; None for what is no tensor of its own.

    Raises:
        UnsupportedError: if samples are mixed, or the result is no tensor of 1 to 3 dimensions.
    """
    source = node.all_input_nodes[0]
    while is_rearrangement(source, model) and shape_of(source) is None:
        source = source.all_input_nodes[0]
    shape = shape_of(source)
    if shape is None:
        raise UnsupportedError(f"{node.name!r} must rearrange a tensor, but reads {source.name!r}")
    found = _Orders(model, shape_of).of(node)
    if not isinstance(found, Tensor):
        raise UnsupportedError(
            f"{node.name!r} must give one tensor where it is read, but gives {type(found).__name__}: index it"
        )
    size = prod(shape)
    if len(found) != 2 or not torch.equal(found[0] + size, found[1]):
        raise UnsupportedError(
            f"{node.name!r} must keep samples apart, [N, …], but gives {list(found.shape)} for two samples of {list(shape)}"
        )
    if not 2 <= found.ndim <= 4 or not found.numel():
        raise UnsupportedError(
            f"{node.name!r} must give samples [F], [C, L] or [C, H, W] where it is read, but gives {list(found.shape[1:])}"
        )
    return Rearrangement(source, tuple(found.shape[1:]), _steps(found[0].numpy(), shape))


def _steps(order: NDArray[np.int64], shape: Shape) -> tuple[Step, ...]:
    """The steps from a tensor of a shape to another, of which each element is the index of that
    which it was.
    """
    elements, wanted = order.ravel(), tuple(order.shape)
    if len(elements) == prod(shape) and bool((elements == np.arange(len(elements))).all()):
        return () if wanted == shape else (Reshaped(wanted),)
    inner = prod(shape[1:])
    if len(elements) % inner == 0:
        blocks = elements.reshape(-1, inner)
        channels = blocks[:, 0] // inner
        if bool((blocks == channels[:, np.newaxis] * inner + np.arange(inner)).all()):
            selected = len(channels), *shape[1:]
            return (Entries(channels), *([Reshaped(wanted)] if wanted != selected else []))
    if len(shape) > 1 and (slices := _slices(elements, shape, wanted)) is not None:
        return slices
    flat = [Reshaped((prod(shape),))] if len(shape) > 1 else []
    again = [Reshaped(wanted)] if len(wanted) > 1 else []
    return (*flat, Entries(elements), *again)


def _slices(elements: NDArray[np.int64], shape: Shape, wanted: Shape) -> tuple[Step, ...] | None:
    """The steps of a slice of pixels, the same of each channel; None if it is something else."""
    inner = prod(shape[1:])
    owners = elements // inner
    (others,) = (owners != owners[0]).nonzero()
    each = int(others[0]) if len(others) else len(elements)
    if len(elements) % each:
        return None
    blocks = elements.reshape(-1, each)
    channels, pixels = blocks[:, 0] // inner, blocks[0] % inner
    along = [np.unique(each) for each in np.unravel_index(pixels, shape[1:])]
    grid = np.ravel_multi_index(np.ix_(*along), shape[1:]).ravel()
    if len(grid) != len(pixels) or bool((blocks != channels[:, np.newaxis] * inner + grid).any()):
        return None
    steps = tuple(int(each[1] - each[0]) if len(each) > 1 else 1 for each in along)
    if any(bool((np.diff(each) != step).any()) for each, step in zip(along, steps, strict=True)):
        return None
    sliced = Strided(tuple(int(each[0]) for each in along), steps, tuple(map(len, along)))
    found: list[Step] = [sliced]
    if not np.array_equal(channels, np.arange(shape[0])):
        found.append(Entries(channels))
    if wanted != (len(channels), *sliced.counts):
        found.append(Reshaped(wanted))
    return tuple(found)


class _Orders:
    """Nodes computed on tensors of two samples whose elements are their own indices."""

    def __init__(self, model: nn.Module, shape_of: Callable[[fx.Node], Shape | None]) -> None:
        self.model, self.shape_of = model, shape_of

    def of(self, node: fx.Node) -> Any:
        if (shape := self.shape_of(node)) is not None:
            return torch.arange(2 * prod(shape)).view(2, *shape)
        if not (is_size(node) or is_rearrangement(node, self.model)):
            # A layer whose quantizer lies behind what is fused into it.
            behind = [user for user in node.users if not is_size(user)]
            if len(behind) != 1 or behind[0].op == "output":
                raise UnsupportedError(f"the shape of {node.name!r} must be known where it is read")
            return self.of(behind[0])
        args, kwargs = fx.map_arg((node.args, node.kwargs), self.of)
        target: Any = node.target
        try:
            if node.op == "call_method":
                return getattr(args[0], target)(*args[1:], **kwargs)
            call = module_at(self.model, str(target)) if node.op == "call_module" else target
            return call(*args, **kwargs)
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            raise UnsupportedError(
                f"{node.name!r} must rearrange any number of samples, but: {error}"
            ) from error
