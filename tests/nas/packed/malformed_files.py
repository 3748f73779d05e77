"""Files written byte by byte."""

import struct

from tests.nas.packed.packed_programs import seal

HEAD = b"\x89NAS\x02"


TYPE = struct.pack("<fBB", 1.0, 0, 8)


LAYER = TYPE + bytes([9, 0, 255, 0x88, 0])


# One channel of weights of 4 bits, up to its zero point.
AFFINE = b"\1\0\1" + TYPE + bytes([9, 0, 255, 12, 0, 0, 0])


# Four features of four by 16 weights, and by those of the layer before.
FIRST = b"\1\0\4" + TYPE + bytes([9, 0, 255, 8, 0]) + bytes(8) + bytes(16)
AGAIN = b"\1\0\4" + TYPE + bytes([9, 0, 255, 0x58, 0]) + bytes(8)


def chain(*operations: bytes, shape: bytes = b"\x01\x04", count: int | None = None) -> bytes:
    return seal(
        HEAD
        + bytes([len(operations) if count is None else count])
        + shape
        + TYPE
        + b"".join(operations)
    )


def later(*operations: bytes, version: int = 3, shape: bytes = b"\x01\x04") -> bytes:
    """The same as a file of a later version."""
    return seal(b"\x89NAS" + bytes([version]) + chain(*operations, shape=shape)[5:-4])


FLATTEN = b"\x08\0"


UP = b"\x09\0\x40"


IMAGE = b"\x03\x01\x80\x20\x80\x20"
