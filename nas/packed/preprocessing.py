"""The preprocessing of a packed file, for those who give it raw values; the program does not need it."""

import struct
import zlib

from nas.packed.fields import Cursor
from nas.packed.layout import CHECKSUM_BYTES, MAGIC, NAMED, PREPARED, ArtifactError
from nas.preprocessing import RAW_KINDS, USUAL_DEVIATION, Preprocessing

MEAN, DEVIATION, EACH, LIMIT = 4, 8, 16, 32
"""Added to the number of the type of raw values."""

_VERSION = len(MAGIC)


def with_preprocessing(packed: bytes, preprocessing: Preprocessing) -> bytes:
    """The packed file with its preprocessing: 1 byte more for pixels that are divided by 255, 9 for one
    mean and deviation, 25 for three of each. `packed` is a file without, as `pack` writes it.

    Raises:
        ArtifactError: if the file has some, or names of classes, which come last, or the program reads
            another number of channels.
    """
    # Imported here, because reading a file reads its preprocessing.
    from nas.packed.unpack import unpack

    check_preprocessing(preprocessing, unpack(packed).tensors[0].shape)
    if packed[_VERSION] & (PREPARED | NAMED):
        raise ArtifactError(
            "a file must be without preprocessing and class names to be given preprocessing, but has some"
        )
    body = b"".join(
        (
            packed[:_VERSION],
            bytes([packed[_VERSION] | PREPARED]),
            packed[_VERSION + 1 : -CHECKSUM_BYTES],
            written_preprocessing(preprocessing),
        )
    )
    return body + struct.pack("<I", zlib.crc32(body))


def written_preprocessing(preprocessing: Preprocessing) -> bytes:
    """The bytes that a file is longer by."""
    mean, deviation = preprocessing.mean, preprocessing.deviation
    flags, numbers = RAW_KINDS.index(preprocessing.raw), list[float]()
    if any(mean):
        flags, numbers = flags | MEAN, [*numbers, *mean]
    if set(deviation) != {USUAL_DEVIATION[preprocessing.raw]}:
        flags, numbers = flags | DEVIATION, [*numbers, *deviation]
    if preprocessing.channels is not None:
        flags |= EACH
    if preprocessing.limit is not None:
        flags, numbers = flags | LIMIT, [*numbers, preprocessing.limit]
    return bytes([flags]) + struct.pack(f"<{len(numbers)}f", *numbers)


def read_preprocessing(cursor: Cursor, shape: tuple[int, ...]) -> Preprocessing:
    """The preprocessing of inputs of a shape, which follows the operations."""
    (flags,) = written = bytes(cursor.take(1))
    kind = flags & 3
    if kind >= len(RAW_KINDS) or flags >= 2 * LIMIT:
        raise ArtifactError(
            f"preprocessing must be of type 0 to {len(RAW_KINDS) - 1} and have no flags above {LIMIT}, but is {flags}"
        )
    raw, count = RAW_KINDS[kind], shape[0] if flags & EACH else 1

    def numbers(flag: int, many: int) -> tuple[float, ...]:
        nonlocal written
        data = bytes(cursor.take(4 * many)) if flags & flag else b""
        written += data
        return struct.unpack(f"<{len(data) // 4}f", data)

    mean, deviation = numbers(MEAN, count) or (0.0,), numbers(DEVIATION, count)
    limit = next(iter(numbers(LIMIT, 1)), None)
    try:
        found = Preprocessing(raw, mean, deviation, limit)
    except ValueError as error:
        raise ArtifactError(str(error)) from error
    if written_preprocessing(found) != written:
        raise ArtifactError(
            f"preprocessing must be written as short as can be, but {found} takes {len(written)} bytes"
        )
    cursor.enter("preprocessing")
    return found


def check_preprocessing(preprocessing: Preprocessing, shape: tuple[int, ...]) -> None:
    """Checks that preprocessing is for inputs of a shape.

    Raises:
        ArtifactError: if it has means for another number of channels.
    """
    try:
        preprocessing.check(shape)
    except ValueError as error:
        raise ArtifactError(str(error)) from error
