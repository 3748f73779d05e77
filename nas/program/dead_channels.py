"""Channels that say nothing, taken out of a program."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nas.program.biases import bias_units
from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Gather,
    Linear,
    Lut,
    Mul,
    Operation,
    TensorType,
)
from nas.program.program import Program

# One truth value a channel (or a feature, of a vector).
Mask = NDArray[np.bool_]


def without_dead_channels(program: Program) -> Program:
    """The program without the channels that are at their zero point for every input, which gives
    the same outputs.

    Such a channel adds nothing to the sums of the layers that read it. It goes where all of its
    readers are such layers, or operations that keep channels apart and end in such layers.
    """
    kept = _kept(program, _dead(program))
    if all(mask.all() for mask in kept):
        return program
    tensors = [_narrowed(tensor, mask) for tensor, mask in zip(program.tensors, kept, strict=True)]
    operations = [
        _without(operation, kept[operation.inputs[0]], result)
        for operation, result in zip(program.operations, kept[1:], strict=True)
    ]
    # What is left may be heard by fewer, and so be dead in its turn.
    return without_dead_channels(Program(tuple(tensors), tuple(operations)))


def _dead(program: Program) -> list[Mask]:
    """Which channels of each tensor are always at the zero point."""
    tensors = program.tensors
    dead = [np.zeros(tensors[0].shape[0], np.bool_)]
    for operation, result in zip(program.operations, tensors[1:], strict=True):
        found = [dead[source] for source in operation.inputs]
        match operation:
            case Conv() | Linear():
                silent = _silent(operation, found[0], tensors[operation.inputs[0]], result)
            case Add():
                silent = np.logical_and.reduce(found)
            case Mul():
                silent = np.logical_or.reduce(found)
            case Concat():
                silent = np.concatenate(found)
            case Gather():
                silent = found[0][operation.indices]
            case Lut():
                silent = found[0] & (
                    operation.table[tensors[operation.inputs[0]].zero] == result.zero
                )
            case Flatten():
                silent = found[0].repeat(result.size // len(found[0]))
            case _:
                silent = found[0]
        if isinstance(operation, (Add, Mul, Concat, AvgPool)):  # nothing but a clamp moves a zero
            silent = silent & (operation.scaling.low <= result.zero <= operation.scaling.high)
        dead.append(silent)
    return dead


def _silent(layer: Conv | Linear, dead: Mask, source: TensorType, result: TensorType) -> Mask:
    """The channels of a layer whose least and largest sums both end at the zero point."""
    scaling, levels = layer.scaling, layer.levels.astype(np.int64)
    if isinstance(layer, Conv):
        # The input channels of each output channel: those of its group.
        each = levels.shape[1]
        first = np.arange(len(levels)) // (len(levels) // layer.groups) * each
        heard = ~dead[first[:, np.newaxis] + np.arange(each)][:, :, np.newaxis, np.newaxis]
    else:
        heard = ~dead[np.newaxis]
    levels = (levels * heard).reshape(len(levels), -1)
    up, down = levels.clip(min=0).sum(1), levels.clip(max=0).sum(1)
    furthest = source.top - source.zero
    factors = scaling.multipliers * 0.5**scaling.shift
    offsets = layer.biases * bias_units(scaling, layer.level_bits) + 0.5
    ends = [up * furthest - down * source.zero, down * furthest - up * source.zero]
    reached = [
        (np.floor(end * factors + offsets) + result.zero).clip(scaling.low, scaling.high)
        for end in ends
    ]
    silent: Mask = (reached[0] == result.zero) & (reached[1] == result.zero)
    return silent


def _kept(program: Program, dead: Sequence[Mask]) -> list[Mask]:
    """The channels of each tensor that stay: those alive, and those that something needs to be
    there.
    """
    kept = [~mask for mask in dead]
    kept[0][:] = kept[-1][:] = True
    for mask in kept:
        mask[:1] |= not mask.any()  # a tensor must have a channel
    before = -1
    while (now := sum(int(mask.sum()) for mask in kept)) != before:
        before = now
        for index, operation in enumerate(program.operations):
            _agree(operation, [kept[source] for source in operation.inputs], kept[index + 1])
    return kept


def _agree(operation: Operation, sources: Sequence[Mask], result: Mask) -> None:
    """Keeps, in place, what an operation cannot do without on either side."""
    first = sources[0]
    match operation:
        case Linear():
            pass
        case Conv() if operation.groups == 1:
            pass
        case Conv() if operation.groups == len(first):
            _blocks(first, result)
        case Conv() | Gather():
            first[:] = result[:] = True
        case Concat():
            start = 0
            for source in sources:
                _blocks(source, result[start : start + len(source)])
                start += len(source)
        case _:
            for source in sources:
                _blocks(source, result)
            for source in sources:
                _blocks(source, result)


def _blocks(source: Mask, result: Mask) -> None:
    """Each channel of the source stands for as many of the result, that stay or go with it."""
    blocks = result.reshape(len(source), -1)
    source |= blocks.any(1)
    blocks |= source[:, np.newaxis]


def _narrowed(tensor: TensorType, mask: Mask) -> TensorType:
    return replace(tensor, shape=(int(mask.sum()), *tensor.shape[1:]))


def _without(operation: Operation, source: Mask, result: Mask) -> Operation:
    if isinstance(operation, (Conv, Linear)):
        scaling = replace(operation.scaling, multipliers=operation.scaling.multipliers[result])
        heard = source if isinstance(operation, Linear) or operation.groups == 1 else slice(None)
        weights, kept, zeros = (
            operation.weights[result][:, heard],
            operation.kept,
            operation.zero_points,
        )
        kept, zeros = (
            None if kept is None else kept[result][:, heard],
            None if zeros is None else zeros[result],
        )
        layer = replace(
            operation,
            weights=weights,
            biases=operation.biases[result],
            scaling=scaling,
            kept=kept,
            zero_points=zeros,
        )
        if isinstance(layer, Conv) and layer.groups > 1 and layer.groups == len(source):
            layer = replace(layer, groups=int(source.sum()))
        return layer
    return operation
