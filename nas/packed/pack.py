"""From a program to the packed file; nas.packed.layout says what it looks like."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.packed import bits
from nas.packed.coders import most_bytes
from nas.packed.encodings import encode
from nas.packed.fields import pair, varint
from nas.packed.layout import (
    AFFINE,
    CHECKSUM_BYTES,
    KINDS,
    MAGIC,
    MAX_ELEMENTS,
    MAX_INPUT,
    MAX_OPERATIONS,
    MAX_WEIGHTS,
    VERSION,
    ArtifactError,
    at_most,
    check_sizes,
    index_width,
)
from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Gather,
    Linear,
    Lut,
    MaxPool,
    Mul,
    Operation,
    TensorType,
    Upsample,
)
from nas.program.program import Program

_CODES = {kind: code for code, kind in KINDS.items()}
_MAX_FLOAT32 = float(np.finfo(np.float32).max)
_SCALED = (Conv, Linear, Add, Mul, Concat, AvgPool)


def pack(program: Program) -> bytes:
    """The file of `program`: equal programs, but for the names of their operations, give equal
    bytes.

    Raises:
        ArtifactError: if the program is larger than a file may be, or a scale is no float32.
    """
    _check(program)
    parts = [_head(program)]
    for index, operation in enumerate(program.operations):
        encoding, weights = 0, b""
        if isinstance(operation, (Conv, Linear)):
            encoded = encode(operation.weights, operation.bits)
            encoding, weights = encoded.encoding, encoded.data
        parts += [
            _record(program, index, encoding),
            _multipliers(operation),
            _constants(program, index),
            weights,
        ]
    body = b"".join(parts)
    return body + struct.pack("<I", zlib.crc32(body))


def flash_bytes(program: Program) -> int:
    """The length of the file if weights, their zero points and tables were written as they are, or
    weights as indices of codebooks, and biases with 32 bits.

    Of a layer with a mask, it is that of the shortest coding that can be told from the number of
    weights kept. So it follows from shapes, bit-widths, masks and sizes of codebooks alone, is
    known before training, and is never below that of the packed file.

    Raises:
        ArtifactError: if the program is larger than a file may be, or a scale is no float32.
    """
    _check(program)
    total = len(_head(program)) + CHECKSUM_BYTES
    for index, operation in enumerate(program.operations):
        total += len(_record(program, index, 0)) + len(_multipliers(operation))
        match operation:
            case Conv() | Linear():
                total += 4 * len(operation.biases) + _weight_bytes(operation)
                if operation.zero_points is not None:
                    total += 2 + bits.packed_bytes(len(operation.zero_points), operation.bits)
            case Gather():
                total += bits.packed_bytes(
                    len(operation.indices), index_width(program.tensors[operation.inputs[0]])
                )
            case Lut():
                total += len(operation.table)
    return total


def _weight_bytes(operation: Conv | Linear) -> int:
    """Weights as they are, without what a mask removes, or as indices with their codebook: what is
    shorter.
    """
    kept = operation.weights.size if operation.kept is None else int(operation.kept.sum())
    plain = most_bytes(operation.weights.size, kept, operation.bits)
    if operation.entries is None:
        return plain
    indices = most_bytes(operation.weights.size, kept, (operation.entries - 1).bit_length())
    return min(plain, indices + 1 + operation.entries)


def _check(program: Program) -> None:
    at_most("the operations of a program", len(program.operations), MAX_OPERATIONS)
    at_most("the elements of the input", program.tensors[0].size, MAX_INPUT)
    weights = 0
    for index, (operation, result) in enumerate(
        zip(program.operations, program.tensors[1:], strict=True)
    ):
        try:
            check_sizes(operation, program.tensors[operation.inputs[0]].shape, result.shape)
            if isinstance(operation, (Conv, Linear)):
                at_most("the weights of a layer", operation.weights.size, MAX_ELEMENTS)
                weights += operation.weights.size
        except ArtifactError as error:
            raise ArtifactError(
                f"operation {index}, {type(operation).__name__} {operation.name!r}: {error}"
            ) from error
    at_most("the weights of a program", weights, MAX_WEIGHTS)


def _head(program: Program) -> bytes:
    first = program.tensors[0]
    shape = bytes([len(first.shape)]) + b"".join(map(varint, first.shape))
    return MAGIC + bytes([VERSION]) + varint(len(program.operations)) + shape + _type(first)


def _type(tensor: TensorType) -> bytes:
    if tensor.scale > _MAX_FLOAT32 or float(np.float32(tensor.scale)) != tensor.scale:
        raise ArtifactError(
            f"a scale must be a float32, but got {tensor.scale!r}: round it with float(np.float32(scale))"
        )
    return struct.pack("<fBB", tensor.scale, tensor.zero, tensor.bits)


def _record(program: Program, index: int, encoding: int) -> bytes:
    """All of an operation but its arrays."""
    operation, result = program.operations[index], program.tensors[index + 1]
    parts = [bytes([_CODES[type(operation)]]), _sources(operation, index), _geometry(operation)]
    if isinstance(operation, _SCALED):
        scaling = operation.scaling
        parts += [_type(result), bytes([scaling.shift, scaling.low, scaling.high])]
    if isinstance(operation, (Conv, Linear)):
        affine = 0 if operation.zero_points is None else AFFINE
        parts.append(
            bytes(
                [
                    (operation.bits + affine) % 16 + 16 * encoding,
                    bits.signed_width(operation.biases),
                ]
            )
        )
    if isinstance(operation, Lut):
        parts += [_type(result), bytes([bits.signed_width(_differences(operation))])]
    return b"".join(parts)


def _sources(operation: Operation, index: int) -> bytes:
    count = varint(len(operation.inputs)) if isinstance(operation, (Add, Concat)) else b""
    return count + b"".join(varint(index - source) for source in operation.inputs)


def _geometry(operation: Operation) -> bytes:
    match operation:
        case Conv():
            pairs = (
                operation.weights.shape[2:],
                operation.stride,
                operation.padding,
                operation.dilation,
            )
            return varint(len(operation.weights)) + _pairs(pairs) + varint(operation.groups)
        case Linear():
            return varint(len(operation.weights))
        case MaxPool() | AvgPool():
            return _pairs((operation.kernel, operation.stride, operation.padding))
        case Gather():
            return varint(len(operation.indices))
        case Upsample():
            return varint(operation.factor)
    return b""


def _pairs(values: Sequence[Sequence[int]]) -> bytes:
    return b"".join(map(pair, values))


def _multipliers(operation: Operation) -> bytes:
    if isinstance(operation, _SCALED):
        return operation.scaling.multipliers.astype("<u2").tobytes()
    return b""


def _constants(program: Program, index: int) -> bytes:
    """The arrays of an operation but multipliers and weights."""
    match operation := program.operations[index]:
        case Conv() | Linear():
            return bits.pack_signed(
                operation.biases, bits.signed_width(operation.biases)
            ) + _zero_points(operation)
        case Gather():
            return bits.pack(
                operation.indices.astype(np.uint32),
                index_width(program.tensors[operation.inputs[0]]),
            )
        case Lut():
            differences = _differences(operation)
            return bytes([operation.table[0]]) + bits.pack_signed(
                differences, bits.signed_width(differences)
            )
    return b""


def _zero_points(operation: Conv | Linear) -> bytes:
    if operation.zero_points is None:
        return b""
    least = operation.zero_points.min()
    above = operation.zero_points - least
    width = int(above.max()).bit_length()
    return bytes([least, width]) + bits.pack(above, width)


def _differences(operation: Lut) -> NDArray[np.int8]:
    return np.diff(operation.table).view(np.int8)
