"""The names of the classes in a packed file, for those who read its predictions; the program does not
need them.
"""

import struct
import zlib
from collections.abc import Sequence

from nas.packed.fields import Cursor, varint
from nas.packed.layout import CHECKSUM_BYTES, MAGIC, NAMED, ArtifactError

_VERSION = len(MAGIC)


def with_class_names(packed: bytes, names: Sequence[str]) -> bytes:
    """The packed file with the names of its classes, in the order of its logits; it is longer by
    them. `packed` is a file without names, as `pack` writes it.

    Raises:
        ArtifactError: if the names are not one for each class, not empty and different.
    """
    # Imported here, because reading a file reads its names.
    from nas.packed.unpack import unpack

    check_class_names(names, unpack(packed).tensors[-1].size)
    if packed[_VERSION] & NAMED:
        raise ArtifactError("a file must be without class names to be given some, but has them")
    texts = [name.encode() for name in names]
    body = b"".join(
        (
            packed[:_VERSION],
            bytes([packed[_VERSION] | NAMED]),
            packed[_VERSION + 1 : -CHECKSUM_BYTES],
            *(varint(len(text)) + text for text in texts),
        )
    )
    return body + struct.pack("<I", zlib.crc32(body))


def read_class_names(cursor: Cursor, classes: int) -> tuple[str, ...]:
    """The names of so many classes, which follow the operations."""
    names = []
    for _ in range(classes):
        text = bytes(cursor.take(cursor.varint()))
        try:
            names.append(text.decode())
        except UnicodeDecodeError as error:
            raise ArtifactError(f"the name of a class must be UTF-8, but is {text!r}") from error
    check_class_names(names, classes)
    cursor.enter("class names")
    return tuple(names)


def check_class_names(names: Sequence[str], classes: int) -> None:
    """Checks that there is one name for each class.

    Raises:
        ArtifactError: if there are more or fewer, two are equal, or one is empty.
    """
    if len(names) != classes or len(set(names)) != classes or "" in names:
        raise ArtifactError(
            f"class names must be {classes} different texts, one for each class, but are {tuple(names)}"
        )
