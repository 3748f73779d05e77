"""Dead channels, removed from a program."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nas.program.operations import Layer, Operation
from nas.program.program import Program
from nas.program.tensors import ChannelMask, TensorType


def without_dead_channels(program: Program) -> Program:
    """The program, with the same outputs, without channels that are at their zero point for every
    input.

    Such a channel adds nothing to the sums of the layers that read it. It is removed where all of
    its readers are such layers, or operations that keep channels apart and end in such layers.
    """
    kept = _kept(program, _dead(program))
    if all(mask.all() for mask in kept):
        return program
    tensors = [_narrowed(tensor, mask) for tensor, mask in zip(program.tensors, kept, strict=True)]
    operations = [
        operation.narrowed(kept[operation.inputs[0]], result)
        for operation, result in zip(program.operations, kept[1:], strict=True)
    ]
    operations = _sharing_again(program.operations, operations)
    # Fewer readers are left, so that further channels may be dead.
    return without_dead_channels(Program(tuple(tensors), tuple(operations)))


def _dead(program: Program) -> list[ChannelMask]:
    """The channels of each tensor that are always at the zero point."""
    dead = [np.zeros(program.tensors[0].shape[0], np.bool_)]
    for operation, signature in program.steps:
        found = [dead[source] for source in operation.inputs]
        dead.append(operation.dead_channels(found, signature))
    return dead


def _kept(program: Program, dead: Sequence[ChannelMask]) -> list[ChannelMask]:
    """The channels of each tensor that stay: live ones, and those that an operation needs beside
    them.
    """
    kept = [~mask for mask in dead]
    kept[0][:] = kept[-1][:] = True
    for mask in kept:
        mask[:1] |= not mask.any()  # a tensor must have a channel
    before, shared = -1, _calls(program.operations)
    while (now := sum(int(mask.sum()) for mask in kept)) != before:
        before = now
        for index, operation in enumerate(program.operations):
            operation.keep_tied([kept[source] for source in operation.inputs], kept[index + 1])
        for calls in shared:
            for masks in (
                [kept[operation.inputs[0]] for _, operation in calls],
                [kept[index + 1] for index, _ in calls],
            ):
                union = np.logical_or.reduce(masks)
                for mask in masks:
                    mask[:] = union
    return kept


def _calls(operations: Sequence[Operation]) -> list[list[tuple[int, Layer]]]:
    """The layers with the same weights, with their indices, where there are several."""
    found = dict[int, list[tuple[int, Layer]]]()
    for index, operation in enumerate(operations):
        if isinstance(operation, Layer):
            found.setdefault(id(operation.weights), []).append((index, operation))
    return [calls for calls in found.values() if len(calls) > 1]


def _sharing_again(before: Sequence[Operation], after: Sequence[Operation]) -> list[Operation]:
    """The narrowed operations, of which those that had the same weights before have so again."""
    operations = list(after)
    for (first, _), *others in _calls(before):
        layer = operations[first]
        assert isinstance(layer, Layer)
        for index, _ in others:
            operations[index] = replace(operations[index], weights=layer.weights)  # type: ignore[call-arg] # a layer
    return operations


def _narrowed(tensor: TensorType, mask: ChannelMask) -> TensorType:
    return replace(tensor, shape=(int(mask.sum()), *tensor.shape[1:]))
