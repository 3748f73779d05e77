"""Small numbers as bytes, and the cursor that reads them back."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.packed import bits
from nas.packed.layout import ArtifactError
from nas.program.weights import IntegerWeights

_MAX_VARINT = 2**32 - 1


def varint(value: int) -> bytes:
    """`value` as LEB128."""
    if not 0 <= value <= _MAX_VARINT:
        raise ArtifactError(f"a varint must lie in 0 … {_MAX_VARINT:,}, but got {value:,}")
    groups = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def pair(values: Sequence[int]) -> bytes:
    """Two numbers, as one varint where they are equal."""
    first, second = values
    return varint(2 * first) if first == second else varint(2 * first + 1) + varint(second)


@dataclass(frozen=True)
class Entry:
    """How many bytes of a layer serve one purpose."""

    layer: str
    purpose: str
    bytes: int


class Cursor:
    """Reads `data` from front to back, and records in `entries` what each byte was for.

    `offset` is the position of the next byte, `field` that of the field which was read last, or
    could not be read. `layer` is the name that entries are recorded under, `version` that of the
    format, which decides what may follow. `weights` are those of the layers that were read.

    Raises:
        ArtifactError: if a field is truncated or not in its shortest form.
    """

    def __init__(self, data: memoryview, version: int = 1) -> None:
        self.offset = 0
        self.field = 0
        self.layer = ""
        self.version = version
        self.entries: list[Entry] = []
        self.weights: list[IntegerWeights] = []
        self._data = data
        self._entered = 0

    @property
    def rest(self) -> memoryview:
        """The unread bytes."""
        return self._data[self.offset :]

    def enter(self, purpose: str) -> None:
        """Records the bytes since the last entry, if any, under `layer` and `purpose`."""
        if self.offset > self._entered:
            self.entries.append(Entry(self.layer, purpose, self.offset - self._entered))
        self._entered = self.offset

    def take(self, count: int) -> memoryview:
        """The next `count` bytes."""
        self.field = self.offset
        left = len(self._data) - self.offset
        if count > left:
            raise ArtifactError(f"{count:,} bytes must follow, but there are {left:,}")
        self.offset += count
        return self._data[self.offset - count : self.offset]

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def varint(self) -> int:
        """A number that `varint` wrote."""
        begin, value = self.offset, 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        self.field = begin
        if byte >= 0x80 or value > _MAX_VARINT:
            raise ArtifactError(
                f"a varint must be at most {_MAX_VARINT:,}, but is {value:,} or more"
            )
        if byte == 0 and shift > 0:
            raise ArtifactError(
                f"a varint must be as short as can be, but {value:,} is written with {shift // 7 + 1} bytes"
            )
        return value

    def pair(self) -> tuple[int, int]:
        """Two numbers that `pair` wrote."""
        first = self.varint()
        if not first & 1:
            return first >> 1, first >> 1
        second = self.varint()
        if second == first >> 1:
            raise ArtifactError(
                f"a pair of equal numbers must be written as one, but {second} is written twice"
            )
        return first >> 1, second

    def float32(self) -> float:
        """A float of four bytes."""
        return float(struct.unpack("<f", self.take(4))[0])

    def uint16(self, count: int) -> NDArray[np.uint16]:
        """`count` numbers of two bytes."""
        return np.frombuffer(self.take(2 * count), "<u2").astype(np.uint16)

    def packed(self, count: int, width: int) -> bits.Unsigned:
        """`count` numbers of `width` bits."""
        return bits.unpack(self.take(bits.packed_bytes(count, width)), count, width)

    def packed_signed(self, count: int, width: int) -> NDArray[np.int64]:
        """`count` numbers of `width` bits in two's complement."""
        return bits.unpack_signed(self.take(bits.packed_bytes(count, width)), count, width)
