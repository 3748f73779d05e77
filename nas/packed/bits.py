"""Numbers of so many bits, packed from the top bit of each byte down."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.packed.layout import ArtifactError

Unsigned = NDArray[np.unsignedinteger[Any]]

# A multiple of eight, so that each block ends on a whole byte. Blocks bound the memory that
# unpacked bits take.
_BLOCK = 2**16


def packed_bytes(count: int, width: int) -> int:
    """The bytes of `count` numbers of `width` bits."""
    return (count * width + 7) // 8


def pack(values: Unsigned, width: int) -> bytes:
    """`values` in `width` bits each, 0 to 32; higher bits are dropped."""
    if width == 0:
        return b""
    if width <= 8:
        return _pack_narrow(values.astype(np.uint8, copy=False), width)
    parts = []
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK].astype(_lane(width))
        columns = np.unpackbits(block.view(np.uint8)).reshape(len(block), -1)[:, -width:]
        parts.append(np.packbits(columns).tobytes())
    return b"".join(parts)


def _pack_narrow(values: NDArray[np.uint8], width: int) -> bytes:
    """Up to 8 bits each: eight numbers are `width` bytes of one word."""
    if width == 1:
        return np.packbits(values & np.uint8(1)).tobytes()
    if width == 8:
        return values.tobytes()
    mask, parts = np.uint8(2**width - 1), []
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK] & mask
        whole = np.append(block, np.zeros(-len(block) % 8, np.uint8)).reshape(-1, 8)
        words = np.zeros(len(whole), np.uint64)
        for column in whole.T:
            words = words << np.uint64(width) | column
        lanes = words.astype(">u8").view(np.uint8).reshape(-1, 8)
        parts.append(lanes[:, -width:].tobytes())
    return b"".join(parts)[: packed_bytes(len(values), width)]


def unpack(data: bytes | memoryview, count: int, width: int) -> Unsigned:
    """The `count` numbers that `pack` wrote: uint8 up to 8 bits, else uint32.

    Raises:
        ArtifactError: if a padding bit of the last byte is set.
    """
    lane = _lane(width)
    values: Unsigned = np.zeros(count, lane.newbyteorder("="))
    assert len(data) == packed_bytes(count, width)
    if len(data) == 0:
        return values
    spare = 8 * len(data) - count * width
    if data[-1] & (2**spare - 1):
        raise ArtifactError(
            f"the last {spare} bits of packed numbers must be 0, but the last byte is {data[-1]:#04x}"
        )
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        first = packed_bytes(start, width)
        block = np.frombuffer(data[first : first + packed_bytes(size, width)], np.uint8)
        columns = np.zeros((size, 8 * lane.itemsize), np.uint8)
        columns[:, -width:] = np.unpackbits(block, count=size * width).reshape(size, width)
        values[start : start + size] = np.packbits(columns).view(lane)
    return values


def _lane(width: int) -> np.dtype[np.unsignedinteger[Any]]:
    return np.dtype(np.uint8) if width <= 8 else np.dtype(">u4")


def signed_width(values: NDArray[np.signedinteger[Any]]) -> int:
    """The fewest bits that hold each of `values` in two's complement; 0 where all are 0."""
    low, high = min(int(values.min()), 0), max(int(values.max()), 0)
    return max(high, ~low).bit_length() + 1 if low or high else 0


def pack_signed(values: NDArray[np.signedinteger[Any]], width: int) -> bytes:
    """`values` in two's complement of `width` bits each, 0 to 32."""
    return pack((values.astype(np.int64) & (2**width - 1)).astype(np.uint32), width)


def unpack_signed(data: bytes | memoryview, count: int, width: int) -> NDArray[np.int64]:
    """The `count` numbers that `pack_signed` wrote.

    Raises:
        ArtifactError: if a padding bit of the last byte is set.
    """
    sign = 1 << width >> 1
    return (unpack(data, count, width).astype(np.int64) ^ sign) - sign
