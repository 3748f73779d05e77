"""Operations that move integers, and layers that do nothing at inference."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from nas.lowering.groups import Group, pair
from nas.lowering.pooling import MAXIMA, max_pool
from nas.program import operations
from nas.program.operations import Flatten, Gather, Operation, Pad, Reshape, Upsample
from nas.program.operations.windows import Pair
from nas.program.tensors import Shape, TensorType
from nas.quantize import Select, UnsupportedError
from nas.quantize.rearrangements import Entries, Step, Strided
from nas.tracing import Spread


def move(group: Group, inputs: tuple[int, ...], source: TensorType) -> Operation | None:
    """The operation of a node that changes no integer; None where it does nothing at all.

    Raises:
        UnsupportedError: if it is called in a way that has no integer form.
    """
    module = group.module
    if isinstance(module, MAXIMA):
        return max_pool(group, inputs, source)
    if isinstance(module, Select):
        return Gather(group.name, inputs, module.indices.numpy().astype(np.int32))
    if isinstance(module, nn.Upsample):
        if group.signals:
            raise UnsupportedError(
                f"{group.name!r} must enlarge images [C, H, W], not signals [C, L]"
            )
        return Upsample(group.name, inputs, upsampling(module, group.name, source.shape))
    if isinstance(module, (nn.ConstantPad1d, nn.ConstantPad2d)):
        rows, columns = margins(module, group.name)
        return Pad(group.name, inputs, rows, columns) if any(rows + columns) else None
    if isinstance(module, Spread):
        factors, ends = pair((1, *module.factors)[-2:]), pair((0, *module.ends)[-2:])
        return operations.Spread(group.name, inputs, factors, ends)
    return None


def held_shape(shape: Shape) -> Shape:
    """The shape that a program has a tensor in: a signal is an image of one row."""
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape


def rearranged(name: str, steps: Sequence[Step]) -> list[Operation]:
    """The operations of a rearrangement, one for each step, whose sources do not count."""
    return [_rearranged(name, step) for step in steps]


def _rearranged(name: str, step: Step) -> Operation:
    if isinstance(step, Entries):
        return Gather(name, (0,), step.indices.astype(np.int32))
    if isinstance(step, Strided):
        starts, counts = pair((0, *step.starts)[-2:]), pair((1, *step.counts)[-2:])
        return operations.Slice(name, (0,), starts, pair((1, *step.steps)[-2:]), counts)
    if len(step.shape) == 1:
        return Flatten(name, (0,))
    return Reshape(name, (0,), held_shape(step.shape))


def upsampling(module: nn.Upsample, name: str, shape: Shape) -> int:
    """How often each pixel of images [C, H, W] is repeated in both directions.

    Raises:
        UnsupportedError: if it is not the same whole number in both.
    """
    factors = pair(module.scale_factor)
    if module.size is not None:
        factors = pair([n / size for n, size in zip(pair(module.size), shape[1:], strict=False)])
    if (
        module.mode != "nearest"
        or None in factors
        or factors[0] != factors[1]
        or factors[0] != int(factors[0])
    ):
        raise UnsupportedError(
            f"{name!r} must enlarge by a whole scale_factor, mode 'nearest', but is {module}"
        )
    return int(factors[0])


def margins(module: nn.ConstantPad1d | nn.ConstantPad2d, name: str) -> tuple[Pair, Pair]:
    """The rows above and below, and the columns left and right, that a padding adds.

    Raises:
        UnsupportedError: if it adds something other than zeros, or takes away.
    """
    if module.value != 0:
        raise UnsupportedError(f"{name!r} must pad with zeros, but is {module}")
    left, right, top, bottom = (*module.padding, 0, 0)[:4]
    if min(module.padding) < 0:
        raise UnsupportedError(
            f"{name!r} must pad by 0 or more, (left, right, top, bottom), but by {tuple(module.padding)}"
        )
    return (top, bottom), (left, right)
