"""Measures a latency table of this host."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from nas.measure.geometry import Geometry, geometries, geometry
from nas.measure.host import host_description, latencies
from nas.measure.latency_table import LatencyTable
from nas.program.operations import Concat, Flatten, Operation
from nas.program.program import Program
from nas.program.tensors import Signature, TensorType


def measure_latency_table(programs: Sequence[Program], rounds: int = 30) -> LatencyTable:
    """The latencies of all operations of some programs for one task, each timed alone with ONNX
    Runtime on this host, as medians over `rounds`.

    The time of an operation is that of a program with only this operation, less that of reading its
    first tensor and writing its result. An operation of several inputs is timed with its first
    input several times, and a Concat with parts of equal size.

    Raises:
        ValueError: if there are no programs, or their inputs or outputs differ in shape.
    """
    ends = {(program.tensors[0].shape, program.tensors[-1].shape) for program in programs}
    if len(ends) != 1:
        raise ValueError(
            f"programs must share one shape of input and of output, but have {sorted(ends)}"
        )
    table: dict[Geometry, float] = {}
    for program in programs:
        for operation, signature in program.steps:
            key = geometry(operation, signature)
            if key not in table and not isinstance(operation, Flatten):
                table[key] = _time_alone(operation, signature, rounds)
    first, last = programs[0].tensors[0], programs[0].tensors[-1]
    call = float(np.mean(latencies([_flattened([first]), _flattened([last])], rounds)))
    slowdowns = [
        (whole - call) / alone
        for program, whole in zip(programs, latencies(programs, rounds), strict=True)
        if (alone := sum(table[key] for key in geometries(program))) > 0 and whole > call
    ]
    slowdown = float(np.median(slowdowns)) if slowdowns else 1.0
    return LatencyTable(host_description(), call, slowdown, table)


def _time_alone(operation: Operation, signature: Signature, rounds: int) -> float:
    """Seconds of one operation, without reading its input and writing its result."""
    first, result, count = signature.source, signature.result, len(signature.sources)
    if isinstance(operation, Concat):
        first = dataclasses.replace(first, shape=(-(-result.shape[0] // count), *first.shape[1:]))
    single = dataclasses.replace(operation, inputs=(0,) * count)
    result = dataclasses.replace(result, shape=single.result_shape([first.shape] * count))
    whole, reading, writing = latencies(
        [_flattened([first, result], single), _flattened([first]), _flattened([result])], rounds
    )
    # A program that only flattens both reads and writes its tensor.
    return max(0.0, whole - (reading + writing) / 2)


def _flattened(tensors: Sequence[TensorType], *operations: Operation) -> Program:
    """The program of some operations and a Flatten, because an output must be flat."""
    last = tensors[-1]
    flat = Flatten("flatten", (len(operations),))
    return Program((*tensors, dataclasses.replace(last, shape=(last.size,))), (*operations, flat))
