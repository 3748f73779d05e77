"""The record of one operation of each kind, read back.

What a reader returns beside the operation is the type of the result, of whatever shape: that is
derived later.
"""

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.typing import NDArray

from nas.packed.encodings import decode
from nas.packed.fields import Cursor
from nas.packed.layout import AFFINE, MAX_ELEMENTS, ArtifactError, at_most, index_width
from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Gather,
    Linear,
    Lut,
    MaxPool,
    Mul,
    Operation,
    Scaling,
    Shape,
    TensorType,
    Upsample,
    Weights,
    ZeroPoints,
)

Reader = Callable[[Cursor, tuple[int, ...], TensorType], tuple[Operation, TensorType]]
"""Reads what follows the sources of an operation: their indices and the type of the first one are
given.
"""


def read_type(cursor: Cursor) -> TensorType:
    """Scale, zero point and bits of a tensor."""
    return TensorType((1,), cursor.float32(), cursor.byte(), cursor.byte())


def _conv(
    cursor: Cursor, inputs: tuple[int, ...], source: TensorType
) -> tuple[Operation, TensorType]:
    out = cursor.varint()
    kernel, stride, padding, dilation = (cursor.pair() for _ in range(4))
    groups = cursor.varint()
    channels = source.shape[0]
    if groups == 0 or channels % groups:
        raise ArtifactError(f"its groups must divide {channels} channels, but are {groups}")
    result, scaling, bits, biases, zeros, weights = _layer(
        cursor, (out, channels // groups, *kernel)
    )
    geometry = (stride, padding, dilation, groups)
    return Conv(
        cursor.layer, inputs, weights, bits, biases, scaling, *geometry, zero_points=zeros
    ), result


def _linear(
    cursor: Cursor, inputs: tuple[int, ...], source: TensorType
) -> tuple[Operation, TensorType]:
    result, scaling, bits, biases, zeros, weights = _layer(
        cursor, (cursor.varint(), source.shape[0])
    )
    return Linear(cursor.layer, inputs, weights, bits, biases, scaling, zero_points=zeros), result


def _layer(
    cursor: Cursor, shape: Shape
) -> tuple[TensorType, Scaling, int, NDArray[np.int32], ZeroPoints | None, Weights]:
    """All of a layer of weights but its geometry."""
    result, (shift, low, high), record, width = (
        read_type(cursor),
        cursor.take(3),
        cursor.byte(),
        cursor.byte(),
    )
    bits, affine, encoding, count = (
        (record - 1) % AFFINE + 1,
        not 1 <= record % 16 <= AFFINE,
        record // 16,
        prod(shape),
    )
    if affine and bits == 1:
        raise ArtifactError("weights with zero points must have 2 to 8 bits, but have 1")
    if count == 0:
        raise ArtifactError(f"weights must have no dimension of 0, but are {shape}")
    at_most("the bits of a bias", width, 32)
    at_most("the weights of a layer", count, MAX_ELEMENTS)
    cursor.enter("structure")
    scaling = _scaling(cursor, shift, low, high, shape[0])
    biases = cursor.packed_signed(shape[0], width).astype(np.int32)
    cursor.enter("biases")
    zeros = _zero_points(cursor, shape[0], bits) if affine else None
    return (
        result,
        scaling,
        bits,
        biases,
        zeros,
        decode(cursor, encoding, bits, count).reshape(shape),
    )


def _zero_points(cursor: Cursor, count: int, bits: int) -> ZeroPoints:
    least, width = cursor.byte(), cursor.byte()
    at_most("the bits of a zero point", width, bits)
    zeros = cursor.packed(count, width) + np.uint16(least)
    at_most(f"zero points of weights of {bits} bits", int(zeros.max()), 2**bits - 1)
    cursor.enter("zero points")
    return zeros.astype(np.uint8)


def _scaling(cursor: Cursor, shift: int, low: int, high: int, count: int) -> Scaling:
    scaling = Scaling(cursor.uint16(count), shift, low, high)
    cursor.enter("multipliers")
    return scaling


def _scaled(cursor: Cursor, count: int) -> tuple[TensorType, Scaling]:
    result, (shift, low, high) = read_type(cursor), cursor.take(3)
    cursor.enter("structure")
    return result, _scaling(cursor, shift, low, high, count)


def _joined(kind: type[Add | Mul | Concat]) -> Reader:
    def read(
        cursor: Cursor, inputs: tuple[int, ...], _: TensorType
    ) -> tuple[Operation, TensorType]:
        result, scaling = _scaled(cursor, 1 if kind is Mul else len(inputs))
        return kind(cursor.layer, inputs, scaling), result

    return read


def _maxpool(
    cursor: Cursor, inputs: tuple[int, ...], source: TensorType
) -> tuple[Operation, TensorType]:
    kernel, stride, padding = (cursor.pair() for _ in range(3))
    cursor.enter("structure")
    return MaxPool(cursor.layer, inputs, kernel, stride, padding), source


def _avgpool(
    cursor: Cursor, inputs: tuple[int, ...], _: TensorType
) -> tuple[Operation, TensorType]:
    kernel, stride, padding = (cursor.pair() for _ in range(3))
    result, scaling = _scaled(cursor, 1)
    return AvgPool(cursor.layer, inputs, kernel, stride, padding, scaling), result


def _gather(
    cursor: Cursor, inputs: tuple[int, ...], source: TensorType
) -> tuple[Operation, TensorType]:
    count = cursor.varint()
    cursor.enter("structure")
    indices = cursor.packed(count, index_width(source)).astype(np.int32)
    cursor.enter("indices")
    return Gather(cursor.layer, inputs, indices), source


def _flatten(
    cursor: Cursor, inputs: tuple[int, ...], source: TensorType
) -> tuple[Operation, TensorType]:
    cursor.enter("structure")
    return Flatten(cursor.layer, inputs), source


def _upsample(
    cursor: Cursor, inputs: tuple[int, ...], source: TensorType
) -> tuple[Operation, TensorType]:
    factor = cursor.varint()
    cursor.enter("structure")
    return Upsample(cursor.layer, inputs, factor), source


def _lut(
    cursor: Cursor, inputs: tuple[int, ...], source: TensorType
) -> tuple[Operation, TensorType]:
    result, width = read_type(cursor), cursor.byte()
    at_most("the bits of a difference", width, 8)
    cursor.enter("structure")
    first, differences = cursor.byte(), cursor.packed_signed(source.top, width)
    cursor.enter("tables")
    table = np.cumsum(np.append(first, differences)).astype(np.uint8)
    return Lut(cursor.layer, inputs, table), result


READERS: dict[type[Operation], Reader] = {
    Conv: _conv,
    Linear: _linear,
    Add: _joined(Add),
    Mul: _joined(Mul),
    Concat: _joined(Concat),
    MaxPool: _maxpool,
    AvgPool: _avgpool,
    Gather: _gather,
    Flatten: _flatten,
    Upsample: _upsample,
    Lut: _lut,
}
