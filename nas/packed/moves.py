"""The records of operations that move elements and compute nothing."""

import numpy as np

from nas.packed import bits
from nas.packed.fields import Cursor, pair, varint
from nas.packed.layout import at_most
from nas.packed.record import Inputs, of_one_version
from nas.program.operations import Flatten, Gather, Pad, Reshape, Slice, Spread, Upsample
from nas.program.tensors import Signature, TensorType


def _write_gather(gather: Gather, signature: Signature) -> bytes:
    indices = gather.indices.astype(np.uint32)
    return varint(len(indices)) + bits.pack(indices, _index_width(signature.source))


def _read_gather(cursor: Cursor, inputs: Inputs, source: TensorType) -> tuple[Gather, TensorType]:
    count = cursor.varint()
    cursor.enter("structure")
    indices = cursor.packed(count, _index_width(source)).astype(np.int32)
    cursor.enter("indices")
    return Gather(cursor.layer, inputs, indices), source


def _index_width(source: TensorType) -> int:
    """The bits of an index into the first dimension."""
    return max((source.shape[0] - 1).bit_length(), 1)


def _write_flatten(_: Flatten, __: Signature) -> bytes:
    return b""


def _read_flatten(cursor: Cursor, inputs: Inputs, source: TensorType) -> tuple[Flatten, TensorType]:
    cursor.enter("structure")
    return Flatten(cursor.layer, inputs), source


def _write_upsample(upsample: Upsample, _: Signature) -> bytes:
    return varint(upsample.factor)


def _read_upsample(
    cursor: Cursor, inputs: Inputs, source: TensorType
) -> tuple[Upsample, TensorType]:
    factor = cursor.varint()
    cursor.enter("structure")
    return Upsample(cursor.layer, inputs, factor), source


def _write_pad(pad: Pad, _: Signature) -> bytes:
    return pair(pad.rows) + pair(pad.columns)


def _read_pad(cursor: Cursor, inputs: Inputs, source: TensorType) -> tuple[Pad, TensorType]:
    rows, columns = cursor.pair(), cursor.pair()
    cursor.enter("structure")
    return Pad(cursor.layer, inputs, rows, columns), source


def _write_reshape(reshape: Reshape, _: Signature) -> bytes:
    return bytes([len(reshape.shape)]) + b"".join(map(varint, reshape.shape))


def _read_reshape(cursor: Cursor, inputs: Inputs, source: TensorType) -> tuple[Reshape, TensorType]:
    rank = cursor.byte()
    at_most("the dimensions of a tensor", rank, 3)
    shape = tuple(cursor.varint() for _ in range(rank))
    cursor.enter("structure")
    return Reshape(cursor.layer, inputs, shape), source


def _write_spread(spread: Spread, _: Signature) -> bytes:
    return pair(spread.factors) + pair(spread.ends)


def _read_spread(cursor: Cursor, inputs: Inputs, source: TensorType) -> tuple[Spread, TensorType]:
    factors, ends = cursor.pair(), cursor.pair()
    cursor.enter("structure")
    return Spread(cursor.layer, inputs, factors, ends), source


def _write_slice(slicing: Slice, _: Signature) -> bytes:
    return pair(slicing.starts) + pair(slicing.steps) + pair(slicing.counts)


def _read_slice(cursor: Cursor, inputs: Inputs, source: TensorType) -> tuple[Slice, TensorType]:
    starts, steps, counts = cursor.pair(), cursor.pair(), cursor.pair()
    cursor.enter("structure")
    return Slice(cursor.layer, inputs, starts, steps, counts), source


GATHER = of_one_version(Gather, _write_gather, _read_gather)
FLATTEN = of_one_version(Flatten, _write_flatten, _read_flatten)
UPSAMPLE = of_one_version(Upsample, _write_upsample, _read_upsample)
PAD = of_one_version(Pad, _write_pad, _read_pad, version=4)
RESHAPE = of_one_version(Reshape, _write_reshape, _read_reshape, version=6)
SPREAD = of_one_version(Spread, _write_spread, _read_spread, version=7)
SLICE = of_one_version(Slice, _write_slice, _read_slice, version=7)
