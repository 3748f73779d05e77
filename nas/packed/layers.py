"""Records of layers: geometry, scaling, biases, zero points and weights."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from nas.packed import bits
from nas.packed.coders import most_bytes
from nas.packed.encodings import AGAIN, REPEATED, Encoded, decode, encode
from nas.packed.fields import Cursor, pair, varint
from nas.packed.layout import AFFINE, MAX_ELEMENTS, ArtifactError, at_most
from nas.packed.record import Record, Written
from nas.packed.scalings import read_multipliers, read_type, write_multipliers, write_scaled_type
from nas.program.operations import Conv, Layer, Linear
from nas.program.scaling import Scaling
from nas.program.tensors import Shape, Signature, TensorType
from nas.program.weights import IntegerWeights

Arrays = tuple[Scaling, IntegerWeights, NDArray[np.int32]]
"""The fields of a layer in their order, behind its name and inputs."""


def _write(layer: Layer, signature: Signature, newest: int, again: int) -> Written:
    if again and newest >= REPEATED:
        encoded, zero_points = Encoded(AGAIN, varint(again), REPEATED), b""
    else:
        encoded = encode(layer.weights.values, layer.weights.bits, newest)
        zero_points = _write_zero_points(layer.weights)
    width = bits.signed_width(layer.biases)
    data = b"".join(
        (
            _structure(layer, signature, encoded.encoding),
            write_multipliers(layer.scaling),
            bits.pack_signed(layer.biases, width),
            zero_points,
            encoded.data,
        )
    )
    return Written(data, encoded.version)


def _structure(layer: Layer, signature: Signature, encoding: int) -> bytes:
    """All of a layer but its arrays."""
    affine = 0 if layer.weights.zero_points is None else AFFINE
    record = (layer.weights.bits + affine) % 16 + 16 * encoding
    return b"".join(
        (
            _geometry(layer),
            write_scaled_type(signature.result, layer.scaling),
            bytes([record, bits.signed_width(layer.biases)]),
        )
    )


def _geometry(layer: Layer) -> bytes:
    out = varint(layer.weights.shape[0])
    if not isinstance(layer, Conv):
        return out
    window = layer.window
    pairs = (window.kernel, window.stride, window.padding, window.dilation)
    return out + b"".join(map(pair, pairs)) + varint(layer.groups)


def _write_zero_points(weights: IntegerWeights) -> bytes:
    if weights.zero_points is None:
        return b""
    least = weights.zero_points.min()
    above = weights.zero_points - least
    width = int(above.max()).bit_length()
    return bytes([least, width]) + bits.pack(above, width)


def _plain_bytes(layer: Layer, signature: Signature, again: int) -> int:
    """The length with biases of 32 bits and plain weights and zero points."""
    weights, fixed = layer.weights, len(_structure(layer, signature, 0))
    total = fixed + len(write_multipliers(layer.scaling)) + 4 * len(layer.biases)
    if again:
        return total + len(varint(again))
    if weights.zero_points is not None:
        total += 2 + bits.packed_bytes(len(weights.zero_points), weights.bits)
    return total + plain_weight_bytes(weights)


def plain_weight_bytes(weights: IntegerWeights) -> int:
    """Plain weights without those that a mask removes, or indices and their codebook: the shorter of
    the two.
    """
    kept = weights.size if weights.kept is None else int(weights.kept.sum())
    plain = most_bytes(weights.size, kept, weights.bits)
    if weights.entries is None:
        return plain
    indices = most_bytes(weights.size, kept, (weights.entries - 1).bit_length())
    return min(plain, indices + 1 + weights.entries)


def _read_conv(
    cursor: Cursor, inputs: tuple[int, ...], source: TensorType
) -> tuple[Conv, TensorType]:
    out = cursor.varint()
    kernel, stride, padding, dilation = (cursor.pair() for _ in range(4))
    groups, channels = cursor.varint(), source.shape[0]
    if groups == 0 or channels % groups:
        raise ArtifactError(f"its groups must divide {channels} channels, but are {groups}")
    result, arrays = _read_arrays(cursor, (out, channels // groups, *kernel))
    return Conv(cursor.layer, inputs, *arrays, stride, padding, dilation, groups), result


def _read_linear(
    cursor: Cursor, inputs: tuple[int, ...], source: TensorType
) -> tuple[Linear, TensorType]:
    result, arrays = _read_arrays(cursor, (cursor.varint(), source.shape[0]))
    return Linear(cursor.layer, inputs, *arrays), result


def _read_arrays(cursor: Cursor, shape: Shape) -> tuple[TensorType, Arrays]:
    """All of a layer but its geometry; `shape` is that of its weights."""
    result, limits, record, width = read_type(cursor), cursor.take(3), cursor.byte(), cursor.byte()
    wide, encoding, count = (record - 1) % AFFINE + 1, record // 16, prod(shape)
    affine = not 1 <= record % 16 <= AFFINE
    if affine and wide == 1:
        raise ArtifactError("weights with zero points must have 2 to 8 bits, but have 1")
    if count == 0:
        raise ArtifactError(f"weights must have no dimension of 0, but are {shape}")
    at_most("the bits of a bias", width, 32)
    at_most("the weights of a layer", count, MAX_ELEMENTS)
    cursor.enter("structure")
    scaling = read_multipliers(cursor, limits, shape[0])
    biases = cursor.packed_signed(shape[0], width).astype(np.int32)
    cursor.enter("biases")
    if encoding == AGAIN and cursor.version >= REPEATED:
        weights = _read_again(cursor, shape, wide, affine)
    else:
        zeros = _read_zero_points(cursor, shape[0], wide) if affine else None
        values = decode(cursor, encoding, wide, count).reshape(shape)
        weights = IntegerWeights(values, wide, zeros)
    cursor.weights.append(weights)
    return result, (scaling, weights, biases)


def _read_again(cursor: Cursor, shape: Shape, wide: int, affine: bool) -> IntegerWeights:
    """The weights of an earlier layer."""
    again = cursor.varint()
    at_most("how many layers before the same weights are", again, len(cursor.weights))
    if again == 0:
        raise ArtifactError("the same weights must be those of a layer before, but it says 0")
    cursor.enter("weights")
    weights = cursor.weights[-again]
    wanted = shape, wide, affine
    found = weights.shape, weights.bits, weights.zero_points is not None
    if found != wanted:
        raise ArtifactError(
            f"weights of a layer before must have the shape, bits and zero points {wanted}, but have {found}"
        )
    return weights


def _read_zero_points(cursor: Cursor, count: int, wide: int) -> NDArray[np.uint8]:
    least, width = cursor.byte(), cursor.byte()
    at_most("the bits of a zero point", width, wide)
    zeros = cursor.packed(count, width) + np.uint16(least)
    at_most(f"zero points of weights of {wide} bits", int(zeros.max()), 2**wide - 1)
    cursor.enter("zero points")
    return zeros.astype(np.uint8)


CONV = Record(Conv, _write, _read_conv, _plain_bytes)
LINEAR = Record(Linear, _write, _read_linear, _plain_bytes)
