"""Class names behind the operations of a packed file."""

import re
import struct
import zlib
from pathlib import Path

import pytest
import torch
from torch import nn

from nas.lowering import lower
from nas.packed import ArtifactError, class_names, ledger, pack, unpack, with_class_names

NAMES = ("cat", "Bär", "three words here", "д")


def sealed(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


@pytest.fixture
def packed() -> bytes:
    """A file without names, of a network for as many classes."""
    generator = torch.Generator().manual_seed(0)
    return pack(
        lower(nn.Sequential(nn.Linear(6, len(NAMES))), torch.rand(8, 6, generator=generator))
    )


def test_names_come_back_and_the_program_is_the_same(packed: bytes) -> None:
    named = with_class_names(packed, NAMES)
    assert (class_names(packed), class_names(named)) == (None, NAMES)
    assert pack(unpack(named)) == packed
    assert named[4] == packed[4] | 128
    written = sum(1 + len(name.encode()) for name in NAMES)
    assert len(named) == len(packed) + written
    assert ("class names", written) in [(entry.purpose, entry.bytes) for entry in ledger(named)]
    assert sum(entry.bytes for entry in ledger(named)) == len(named)


def test_files_of_every_version_take_names() -> None:
    for path in sorted((Path(__file__).parent / "golden").iterdir()):
        packed = path.read_bytes()
        names = [f"class {label}" for label in range(unpack(packed).tensors[-1].size)]
        named = with_class_names(packed, names)
        assert class_names(named) == tuple(names)
        assert named[4] & 127 == packed[4]


@pytest.mark.parametrize(
    "names", [NAMES[:3], (*NAMES, "e"), ("a", "b", "b", "c"), ("a", "", "b", "c")]
)
def test_other_than_a_name_for_each_class_is_refused(names: tuple[str, ...], packed: bytes) -> None:
    with pytest.raises(ArtifactError, match=re.escape(f"one for each class, but are {names}")):
        with_class_names(packed, names)


def test_names_are_not_added_twice(packed: bytes) -> None:
    with pytest.raises(ArtifactError, match="without class names"):
        with_class_names(with_class_names(packed, NAMES), NAMES)


def test_damaged_names_are_refused(packed: bytes) -> None:
    body = packed[:4] + bytes([packed[4] | 128]) + packed[5:-4]
    for names, message in (
        (b"", "bytes must follow"),
        (b"\1a\1b\1c", "bytes must follow"),
        (b"\1a\1b\1c\2d", "2 bytes must follow"),
        (b"\1a\1b\1c\1\xff", "must be UTF-8"),
        (b"\1a\1b\1c\1a", "different texts"),
        (b"\1a\1b\1c\0", "different texts"),
        (b"\1a\1b\1c\1d\1e", "behind the last name must be at most 0, but got 2"),
    ):
        with pytest.raises(ArtifactError, match=message):
            unpack(sealed(body + names))
