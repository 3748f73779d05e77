"""The record of every operation, by the code of its kind in the file.

Behind its kind and its sources, an operation has the geometry of its kind, then its other fields.
Add and Concat store the number of their sources before them, a varint; Mul has two, all others have
one. nas.packed.layout specifies what is not below: numbers, sources, types, scalings, weights.

    kind         geometry                                                     then
    0 Conv       varint out · pairs kernel, stride, padding, dilation         type · scaling · record · byte bias width
                 · varint groups                                              · multipliers · biases · zero points · weights
    1 Linear     varint out                                                   as Conv
    2 Add, 3 Mul, 4 Concat                                                    type · scaling · multipliers
    5 MaxPool    pairs kernel, stride, padding
    6 AvgPool    pairs kernel, stride, padding                                type · scaling · multipliers
    7 Gather     varint count                                                 indices
    8 Flatten
    9 Upsample   varint factor
    10 Lut                                                                    type · byte width · table
    11 PRelu, since version 3                                                 type · scaling · byte width · multipliers · slopes
    12 Pad       pairs (top, bottom), (left, right); since version 4
    13 EdgeMaxPool, since version 6
                 pairs kernel, stride, padding, extra
    14 EdgeAvgPool, since version 6
                 pairs kernel, stride, padding, extra · varint count          type · scaling · multipliers
    15 Reshape   byte rank, 1 to 3 · rank varints; since version 6
    16 Spread    pairs factors, ends; since version 7
    17 Slice     pairs starts, steps, counts; since version 7

    multipliers  uint16 each: `out` for a layer, one for each source of Add and Concat, `count` of EdgeAvgPool, else one
    biases       `out` numbers packed at the bias width, which is 0 if all are 0; nas.program.operations defines their unit.
                 In version 1 they are 256ths of a step of the result.
    zero points  if the record says so: byte, the least of them · byte width · the differences of all `out` to it, packed.
                 Those of weights of b bits are at most 2^b - 1
    indices      packed at the bits of the largest possible index, at least one
    slopes       a number in -65535 … 65535 for each channel of the source, packed at the width: it replaces the multiplier
                 where the source is below its zero point
    table        byte, the first entry · the differences of the 2^bits - 1 others to the one before, modulo 256, packed

Shapes of results follow from the operations, and kinds without a type keep that of their source.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nas.packed import bits
from nas.packed.encodings import NEWEST_CODER
from nas.packed.fields import Cursor
from nas.packed.layers import CONV, LINEAR
from nas.packed.layout import FIRST_WRITTEN, at_most
from nas.packed.moves import FLATTEN, GATHER, PAD, RESHAPE, SLICE, SPREAD, UPSAMPLE
from nas.packed.pools import AVG_POOL, EDGE_AVG_POOL, EDGE_MAX_POOL, MAX_POOL
from nas.packed.record import Inputs, Record, of_one_version
from nas.packed.scalings import (
    read_multipliers,
    read_scaled,
    read_type,
    write_multipliers,
    write_scaled,
    write_scaled_type,
    write_type,
)
from nas.program.operations import Add, Concat, Join, Lut, Mul, PRelu
from nas.program.tensors import Signature, TensorType

AnyJoin = TypeVar("AnyJoin", bound=Join)


def _write_join(join: Join, signature: Signature) -> bytes:
    return write_scaled(signature.result, join.scaling)


def _read_join(
    kind: Callable[..., AnyJoin], multipliers: Callable[[Inputs], int]
) -> Callable[[Cursor, Inputs, TensorType], tuple[AnyJoin, TensorType]]:
    def read(cursor: Cursor, inputs: Inputs, _: TensorType) -> tuple[AnyJoin, TensorType]:
        result, scaling = read_scaled(cursor, multipliers(inputs))
        return kind(cursor.layer, inputs, scaling), result

    return read


def _one(_: Inputs) -> int:
    return 1


def _write_lut(lut: Lut, signature: Signature) -> bytes:
    differences = _differences(lut)
    width = bits.signed_width(differences)
    head = write_type(signature.result) + bytes([width, lut.table[0]])
    return head + bits.pack_signed(differences, width)


def _read_lut(cursor: Cursor, inputs: Inputs, source: TensorType) -> tuple[Lut, TensorType]:
    result, width = read_type(cursor), cursor.byte()
    at_most("the bits of a difference", width, 8)
    cursor.enter("structure")
    first, differences = cursor.byte(), cursor.packed_signed(source.top, width)
    cursor.enter("tables")
    table = np.cumsum(np.append(first, differences)).astype(np.uint8)
    return Lut(cursor.layer, inputs, table), result


def _lut_bytes(lut: Lut, signature: Signature) -> int:
    return len(write_type(signature.result)) + 1 + len(lut.table)


def _differences(lut: Lut) -> NDArray[np.int8]:
    return np.diff(lut.table).view(np.int8)


def _write_prelu(prelu: PRelu, signature: Signature) -> bytes:
    width = bits.signed_width(prelu.slopes)
    head = write_scaled_type(signature.result, prelu.scaling) + bytes([width])
    return head + write_multipliers(prelu.scaling) + bits.pack_signed(prelu.slopes, width)


def _read_prelu(cursor: Cursor, inputs: Inputs, source: TensorType) -> tuple[PRelu, TensorType]:
    result, limits, width = read_type(cursor), cursor.take(3), cursor.byte()
    at_most("the bits of a slope", width, _SLOPE_BITS)
    cursor.enter("structure")
    scaling = read_multipliers(cursor, limits, 1)
    slopes = cursor.packed_signed(source.shape[0], width).astype(np.int32)
    cursor.enter("slopes")
    return PRelu(cursor.layer, inputs, scaling, slopes), result


def _prelu_bytes(prelu: PRelu, signature: Signature) -> int:
    head = len(write_scaled_type(signature.result, prelu.scaling)) + 1
    slopes = bits.packed_bytes(len(prelu.slopes), _SLOPE_BITS)
    return head + len(write_multipliers(prelu.scaling)) + slopes


# A multiplier and its sign.
_SLOPE_BITS = 17

RECORDS: Mapping[int, Record[Any]] = {
    0: CONV,
    1: LINEAR,
    2: of_one_version(Add, _write_join, _read_join(Add, len)),
    3: of_one_version(Mul, _write_join, _read_join(Mul, _one)),
    4: of_one_version(Concat, _write_join, _read_join(Concat, len)),
    5: MAX_POOL,
    6: AVG_POOL,
    7: GATHER,
    8: FLATTEN,
    9: UPSAMPLE,
    10: of_one_version(Lut, _write_lut, _read_lut, _lut_bytes),
    11: of_one_version(PRelu, _write_prelu, _read_prelu, _prelu_bytes, version=3),
    12: PAD,
    13: EDGE_MAX_POOL,
    14: EDGE_AVG_POOL,
    15: RESHAPE,
    16: SPREAD,
    17: SLICE,
}

NEWEST = max(FIRST_WRITTEN, NEWEST_CODER, *(record.version for record in RECORDS.values()))
"""The newest version of the format."""
