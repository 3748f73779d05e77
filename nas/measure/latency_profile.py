"""Latency tables of this host."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from nas.measure.geometry import Geometry, geometries, geometry
from nas.measure.host import description, seconds
from nas.measure.latency_table import LatencyTable
from nas.program.operations import Concat, Flatten, Operation
from nas.program.program import Program
from nas.program.tensors import Signature, TensorType


def profile(programs: Sequence[Program], rounds: int = 30) -> LatencyTable:
    """The table of all operations of some programs for one task, each timed alone on this host with
    ONNX Runtime.

    An operation takes as long as a program of nothing else, less what taking in its first tensor
    and giving out its result take. One that reads several tensors is timed reading the first one
    several times; a Concat is given parts of one size.

    Raises:
        ValueError: if there are no programs, or their inputs or outputs have several shapes.
    """
    ends = {(program.tensors[0].shape, program.tensors[-1].shape) for program in programs}
    if len(ends) != 1:
        raise ValueError(
            f"programs must have one shape of input and of output, but have {sorted(ends)}"
        )
    table: dict[Geometry, float] = {}
    for program in programs:
        for operation, signature in program.steps:
            key = geometry(operation, signature)
            if key not in table and not isinstance(operation, Flatten):
                table[key] = _alone(operation, signature, rounds)
    call = float(
        np.mean(
            seconds(
                [
                    _flattened([tensor])
                    for tensor in (programs[0].tensors[0], programs[0].tensors[-1])
                ],
                rounds,
            )
        )
    )
    slowdowns = [
        (whole - call) / alone
        for program, whole in zip(programs, seconds(programs, rounds), strict=True)
        if (alone := sum(table[key] for key in geometries(program))) > 0 and whole > call
    ]
    return LatencyTable(
        description(), call, float(np.median(slowdowns)) if slowdowns else 1.0, table
    )


def _alone(operation: Operation, signature: Signature, rounds: int) -> float:
    first, result, count = signature.source, signature.result, len(signature.sources)
    if isinstance(operation, Concat):
        first = dataclasses.replace(first, shape=(-(-result.shape[0] // count), *first.shape[1:]))
    single = dataclasses.replace(operation, inputs=(0,) * count)
    result = dataclasses.replace(result, shape=single.result_shape([first.shape] * count))
    whole, taken, given = seconds(
        [_flattened([first, result], single), _flattened([first]), _flattened([result])], rounds
    )
    return max(0.0, whole - (taken + given) / 2)


def _flattened(tensors: Sequence[TensorType], *operations: Operation) -> Program:
    """A program whose last result is flattened, as an output must be."""
    last = tensors[-1]
    flat = Flatten("flatten", (len(operations),))
    return Program((*tensors, dataclasses.replace(last, shape=(last.size,))), (*operations, flat))
