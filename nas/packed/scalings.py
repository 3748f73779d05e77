"""Types of results and the scalings that lead to them, written and read."""

import struct

import numpy as np

from nas.packed.fields import Cursor
from nas.packed.layout import ArtifactError
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType

_MAX_FLOAT32 = float(np.finfo(np.float32).max)


def write_type(tensor: TensorType) -> bytes:
    """Scale, zero point and bits of a tensor.

    Raises:
        ArtifactError: if the scale is no float32.
    """
    if tensor.scale > _MAX_FLOAT32 or float(np.float32(tensor.scale)) != tensor.scale:
        raise ArtifactError(
            f"a scale must be a float32, but got {tensor.scale!r}: round it with float(np.float32(scale))"
        )
    return struct.pack("<fBB", tensor.scale, tensor.zero, tensor.bits)


def read_type(cursor: Cursor) -> TensorType:
    """Scale, zero point and bits of a tensor, of whatever shape."""
    return TensorType((1,), cursor.float32(), cursor.byte(), cursor.byte())


def write_scaled_type(result: TensorType, scaling: Scaling) -> bytes:
    """The type of a result, and the scaling that leads to it but for the multipliers."""
    return write_type(result) + bytes([scaling.shift, scaling.low, scaling.high])


def write_multipliers(scaling: Scaling) -> bytes:
    """The multipliers alone."""
    return scaling.multipliers.astype("<u2").tobytes()


def read_multipliers(cursor: Cursor, limits: memoryview, count: int) -> Scaling:
    """The scaling with so many multipliers; `limits` are its shift, low and high."""
    shift, low, high = limits
    scaling = Scaling(cursor.uint16(count), shift, low, high)
    cursor.enter("multipliers")
    return scaling


def write_scaled(result: TensorType, scaling: Scaling) -> bytes:
    """The type of a result, and the scaling that leads to it."""
    return write_scaled_type(result, scaling) + write_multipliers(scaling)


def read_scaled(cursor: Cursor, count: int) -> tuple[TensorType, Scaling]:
    """The type of a result, and the scaling, with so many multipliers, that leads to it."""
    result, limits = read_type(cursor), cursor.take(3)
    cursor.enter("structure")
    return result, read_multipliers(cursor, limits, count)
