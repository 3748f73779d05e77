"""The reader in C, compiled, and what it should say of a packed file."""

import struct
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas.c import compiler, reader_files
from nas.packed import class_names, preprocessing, unpack
from nas.packed.records import RECORDS
from nas.preprocessing import RAW_KINDS
from nas.program.operations import (
    Conv,
    Gather,
    Layer,
    Lut,
    Operation,
    Pad,
    Pool,
    PRelu,
    Requantized,
    Slice,
    Spread,
    Upsample,
)
from nas.program.program import Program
from nas.program.tensors import TensorType

DUMP = Path(__file__).parent / "reader_dump.c"
CODES = {record.kind: code for code, record in RECORDS.items()}


def compiled_reader(folder: Path, flags: Sequence[str]) -> Path:
    """The program that reads files and says what they hold."""
    for name, text in reader_files().items():
        (folder / name).write_text(text)
    sources = [str(folder / name) for name in reader_files() if name.endswith(".c")]
    command = [compiler() or "cc", *flags, f"-I{folder}", str(DUMP), *sources]
    subprocess.run([*command, "-o", str(folder / "dump")], check=True, capture_output=True)
    return folder / "dump"


def read_by(dump: Path, files: Iterable[bytes]) -> list[list[int]]:
    """What the reader says of each file: a status, and what the file holds if that is 0."""
    given = b"".join(struct.pack("<I", len(file)) + file for file in files)
    done = subprocess.run([dump], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    words, found, at = np.frombuffer(done.stdout, "<u4"), list[list[int]](), 0
    while at < len(words):
        count = int(words[at])
        found.append(words[at + 1 : at + 1 + count].tolist())
        at += 1 + count
    return found


def said_of(packed: bytes) -> list[int]:
    """What the reader must say of a file, by Python's reader."""
    program = unpack(packed)
    first = program.tensors[0]
    words = [0, packed[4] & 63, len(program.operations), *_tensor(first)]
    for operation, signature in program.steps:
        words += [CODES[type(operation)], *operation.inputs, *_tensor(signature.result)]
        words += [*_geometry(operation), *_numbers(operation)]
    words += _preprocessing(packed, program)
    for name in class_names(packed) or ():
        words += [len(name.encode()), *name.encode()]
    return [word & 0xFFFFFFFF for word in words]


def _tensor(tensor: TensorType) -> list[int]:
    return [len(tensor.shape), *tensor.shape, _bits(tensor.scale), tensor.zero, tensor.bits]


def _bits(value: float) -> int:
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    return int(bits)


def _geometry(operation: Operation) -> list[int]:
    pairs: list[tuple[int, int]] = []
    number = 0
    match operation:
        case Conv(stride=stride, padding=padding, dilation=dilation, groups=number):
            pairs = [operation.window.kernel, stride, padding, dilation]
        case Pool(kernel=kernel, stride=stride, padding=padding):
            pairs = [
                kernel,
                stride,
                padding,
                *([operation.extra] if hasattr(operation, "extra") else []),
            ]
        case Upsample(factor=number):
            pass
        case Pad(rows=rows, columns=columns):
            pairs = [rows, columns]
        case Spread(factors=factors, ends=ends):
            pairs = [factors, ends]
        case Slice(starts=starts, steps=steps, counts=counts):
            pairs = [starts, steps, counts]
    flat = [each for pair in pairs for each in pair]
    return [*flat, *[0] * (8 - len(flat)), number]


def _numbers(operation: Operation) -> list[int]:
    scaling = operation.scaling if isinstance(operation, Requantized) else None
    words = [0, 0, 0] if scaling is None else [scaling.shift, scaling.low, scaling.high]
    words += _counted([] if scaling is None else scaling.multipliers)
    if isinstance(operation, Layer):
        weights = operation.weights
        words += _counted(operation.biases)
        words += _counted([] if weights.zero_points is None else weights.zero_points)
        words += [weights.bits, *_counted(weights.values.ravel())]
    else:
        # No biases, no zero points, no bits, and the product of no dimensions.
        words += [0, 0, 0, 0]
    match operation:
        case Lut(table=table):
            return words + _counted(table)
        case PRelu(slopes=slopes):
            return words + _counted(slopes)
        case Gather(indices=indices):
            return words + _counted(indices)
    return words + _counted([])


def _counted(values: Any) -> list[int]:
    numbers = np.asarray(values, np.int64).tolist()
    return [len(numbers), *numbers]


def _preprocessing(packed: bytes, program: Program) -> list[int]:
    found = preprocessing(packed)
    if found is None:
        return [0]
    numbers = (*found.mean, *found.deviation, found.limit or 0.0)
    return [1, RAW_KINDS.index(found.raw), *map(_bits, numbers)]


__all__ = ["compiled_reader", "read_by", "said_of"]
