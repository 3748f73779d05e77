"""From a program to the packed file, which nas.packed.layout and nas.packed.records specify."""

import struct
import zlib

from nas.packed.fields import varint
from nas.packed.layout import (
    CHECKSUM_BYTES,
    FIRST_WRITTEN,
    MAGIC,
    MAX_ELEMENTS,
    MAX_INPUT,
    MAX_OPERATIONS,
    MAX_WEIGHTS,
    SIGNALS,
    ArtifactError,
    at_most,
)
from nas.packed.limits import check_demand, check_sizes
from nas.packed.records import NEWEST, RECORDS
from nas.packed.scalings import write_type
from nas.program.operations import Layer, Operation
from nas.program.program import Program

_BY_KIND = {record.kind: (code, record) for code, record in RECORDS.items()}


def pack(program: Program, newest: int = NEWEST) -> bytes:
    """The file of `program`; programs that differ in the names of operations alone give equal bytes.

    `newest` is the last version that the file may have, for readers that know no later one. The
    file has the lowest that its contents need.

    Raises:
        ArtifactError: if the program is larger than a file may be, a scale is no float32, or an
            operation needs a later version than `newest`.
    """
    _check(program, newest)
    parts, versions, again = [], [_input_version(program)], _again(program)
    for index, (operation, signature) in enumerate(program.steps):
        code, record = _BY_KIND[type(operation)]
        written = record.write(operation, signature, newest, again[index])
        parts += [_start(operation, index, code), written.data]
        versions.append(written.version)
    body = _head(program, max(versions)) + b"".join(parts)
    return body + struct.pack("<I", zlib.crc32(body))


def flash_bytes(program: Program) -> int:
    """The length of the file with plain weights, zero points and tables, or with plain indices of
    codebooks, and biases of 32 bits.

    For a layer with a mask, the shortest coding counts whose length follows from the number of
    weights kept. Weights of a layer that is called again count once. So the result depends on
    shapes, bit-widths, masks and sizes of codebooks alone, is known before training, and is never
    below the length of the packed file.

    Raises:
        ArtifactError: if the program is larger than a file may be, or a scale is no float32.
    """
    _check(program, NEWEST)
    total, again = len(_head(program, NEWEST)) + CHECKSUM_BYTES, _again(program)
    for index, (operation, signature) in enumerate(program.steps):
        code, record = _BY_KIND[type(operation)]
        start = len(_start(operation, index, code))
        total += start + record.flash_bytes(operation, signature, again[index])
    return total


def _again(program: Program) -> list[int]:
    """For each operation how many layers before the same weights are; 0 where there are none."""
    layers, count, found = dict[int, int](), 0, [0] * len(program.operations)
    for index, operation in enumerate(program.operations):
        if isinstance(operation, Layer):
            found[index] = count - layers.setdefault(id(operation.weights), count)
            count += 1
    return found


def _check(program: Program, newest: int) -> None:
    if not FIRST_WRITTEN <= newest <= NEWEST:
        raise ArtifactError(
            f"files are written in versions {FIRST_WRITTEN} to {NEWEST}, but got {newest}"
        )
    at_most("the operations of a program", len(program.operations), MAX_OPERATIONS)
    at_most("the elements of the input", program.tensors[0].size, MAX_INPUT)
    at_most("the version that the input needs", _input_version(program), newest)
    weights = 0
    for index, (operation, signature) in enumerate(program.steps):
        try:
            at_most("the version that it needs", _BY_KIND[type(operation)][1].version, newest)
            check_sizes(operation, signature)
            if isinstance(operation, Layer):
                at_most("the weights of a layer", operation.weights.size, MAX_ELEMENTS)
                weights += operation.weights.size
        except ArtifactError as error:
            raise ArtifactError(
                f"operation {index}, {type(operation).__name__} {operation.name!r}: {error}"
            ) from error
    at_most("the weights of a program", weights, MAX_WEIGHTS)
    check_demand(program)


def _input_version(program: Program) -> int:
    return SIGNALS if len(program.tensors[0].shape) == 2 else FIRST_WRITTEN


def _head(program: Program, version: int) -> bytes:
    first = program.tensors[0]
    shape = bytes([len(first.shape)]) + b"".join(map(varint, first.shape))
    return MAGIC + bytes([version]) + varint(len(program.operations)) + shape + write_type(first)


def _start(operation: Operation, index: int, code: int) -> bytes:
    """The kind of an operation, and how far back its sources lie."""
    least, most = operation.arity
    count = varint(len(operation.inputs)) if least < most else b""
    distances = b"".join(varint(index - source) for source in operation.inputs)
    return bytes([code]) + count + distances
