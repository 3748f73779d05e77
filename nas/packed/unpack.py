"""From the packed file to the program, and to what each byte is for.

Any bytes give a valid program or an ArtifactError: no allocation exceeds the limits of
nas.packed.layout, no read passes the end, and what is read can be run (nas.program.demand).
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod

from nas.packed.class_names import read_class_names
from nas.packed.fields import Cursor, Entry
from nas.packed.layout import (
    CHECKSUM_BYTES,
    MAGIC,
    MAX_INPUT,
    MAX_OPERATIONS,
    MAX_WEIGHTS,
    NAMED,
    PREPARED,
    SIGNALS,
    ArtifactError,
    at_most,
)
from nas.packed.limits import check_demand, check_sizes
from nas.packed.preprocessing import read_preprocessing
from nas.packed.records import NEWEST, RECORDS
from nas.packed.scalings import read_type
from nas.packed.version_1 import from_version_1
from nas.preprocessing import Preprocessing
from nas.program.operations import Layer, Operation
from nas.program.program import Program
from nas.program.tensors import ProgramError, Signature, TensorType


def unpack(data: bytes) -> Program:
    """The program that `pack` wrote; operations are named by index and kind, as in "3.conv".

    Raises:
        ArtifactError: if `data` is not a whole file of a known version, with the offset and the
            reason.
    """
    return _read(data).program


def class_names(data: bytes) -> tuple[str, ...] | None:
    """The names of the classes of a packed file, in the order of its logits; None if it has none.

    Raises:
        ArtifactError: if `data` is not a whole file of a known version, with the offset and the
            reason.
    """
    return _read(data).class_names


def preprocessing(data: bytes) -> Preprocessing | None:
    """How raw values become what the program of a packed file reads; None if the file does not say.

    Raises:
        ArtifactError: if `data` is not a whole file of a known version, with the offset and the
            reason.
    """
    return _read(data).preprocessing


def ledger(data: bytes) -> tuple[Entry, ...]:
    """What each byte of a packed file is for, in order; the entries sum to its length.

    Raises:
        ArtifactError: if `data` is not a whole file of a known version, with the offset and the
            reason.
    """
    return _read(data).entries


@dataclass(frozen=True)
class _File:
    program: Program
    entries: tuple[Entry, ...]
    preprocessing: Preprocessing | None
    class_names: tuple[str, ...] | None


def _read(data: bytes) -> _File:
    cursor = Cursor(memoryview(data)[:-CHECKSUM_BYTES])
    with _placed(cursor):
        cursor.version, flags = _header(cursor)
    (stored,), computed = (
        struct.unpack("<I", data[-CHECKSUM_BYTES:]),
        zlib.crc32(data[:-CHECKSUM_BYTES]),
    )
    if stored != computed:
        place, found = len(data) - CHECKSUM_BYTES, f"{stored:08x}: the file is damaged or not whole"
        raise ArtifactError(f"byte {place}: the checksum must be {computed:08x}, but is {found}")
    with _placed(cursor):
        program = _program(cursor)
        prepared, names, last = None, None, "the last operation"
        if flags & PREPARED:
            prepared = read_preprocessing(cursor, program.tensors[0].shape)
            last = "the preprocessing"
        if flags & NAMED:
            names = read_class_names(cursor, program.tensors[-1].size)
            last = "the last name"
        at_most(f"the bytes behind {last}", len(cursor.rest), 0)
    entries = (*cursor.entries, Entry("", "checksum", CHECKSUM_BYTES))
    return _File(program, entries, prepared, names)


@contextmanager
def _placed(cursor: Cursor) -> Iterator[None]:
    """Adds the place of the field to errors."""
    try:
        yield
    except (ArtifactError, ProgramError) as error:
        place = f"byte {cursor.field}" + (f", {cursor.layer}" if cursor.layer else "")
        raise ArtifactError(f"{place}: {error}") from error


def _header(cursor: Cursor) -> tuple[int, int]:
    """The version of the file, and what was added to it."""
    magic = bytes(cursor.take(len(MAGIC)))
    if magic != MAGIC:
        raise ArtifactError(f"a packed file must begin with {MAGIC!r}, but begins with {magic!r}")
    written = cursor.byte()
    flags = written & (PREPARED | NAMED)
    version = written - flags
    if not 1 <= version <= NEWEST:
        hint = ": newer software wrote it" if version > NEWEST else ""
        raise ArtifactError(
            f"a packed file must have a version from 1 to {NEWEST}, but has {version}{hint}"
        )
    return version, flags


def _program(cursor: Cursor) -> Program:
    count = cursor.varint()
    at_most("the operations of a program", count, MAX_OPERATIONS)
    cursor.enter("header")
    cursor.layer = "input"
    tensors, operations, weights = [_input(cursor)], list[Operation](), 0
    for index in range(count):
        cursor.layer = str(index)
        operation, result = _operation(cursor, tensors)
        operations.append(operation)
        tensors.append(result)
        if isinstance(operation, Layer):
            weights += operation.weights.size
            at_most("the weights of a program", weights, MAX_WEIGHTS)
            if cursor.version == 1:
                operations[-1] = from_version_1(operation)
    cursor.layer = ""
    program = Program(tuple(tensors), tuple(operations))
    check_demand(program)
    return program


def _input(cursor: Cursor) -> TensorType:
    rank = cursor.byte()
    ranks = (1, 3) if cursor.version < SIGNALS else (1, 2, 3)
    if rank not in ranks:
        raise ArtifactError(
            f"the input must have {', '.join(map(str, ranks[:-1]))} or {ranks[-1]} dimensions, but has {rank}"
        )
    shape = tuple(cursor.varint() for _ in range(rank))
    at_most("the elements of the input", prod(shape), MAX_INPUT)
    tensor = replace(read_type(cursor), shape=shape)
    cursor.enter("structure")
    return tensor


def _operation(cursor: Cursor, tensors: Sequence[TensorType]) -> tuple[Operation, TensorType]:
    version, code, index = cursor.version, cursor.byte(), len(tensors) - 1
    known = {known: record for known, record in RECORDS.items() if record.version <= version}
    if code not in known:
        raise ArtifactError(
            f"the kind of an operation must be 0 to {max(known)} in version {version}, but is {code}"
        )
    record = known[code]
    cursor.layer = f"{index}.{record.kind.__name__.lower()}"
    inputs = _inputs(cursor, index, record.kind)
    sources = [tensors[source] for source in inputs]
    operation, result = record.read(cursor, inputs, sources[0])
    shape = operation.result_shape([source.shape for source in sources])
    signature = Signature(sources, replace(result, shape=shape))
    check_sizes(operation, signature)
    operation.check(signature)
    return operation, signature.result


def _inputs(cursor: Cursor, index: int, kind: type[Operation]) -> tuple[int, ...]:
    least, most = kind.arity
    count = cursor.varint() if least < most else least
    if not least <= count <= most:
        raise ArtifactError(f"it must read {least} to {most} tensors, but reads {count}")
    distances = [cursor.varint() for _ in range(count)]
    at_most("how far back a source lies", max(distances), index)
    return tuple(index - distance for distance in distances)
