"""Preprocessing behind the operations of a packed file."""

import struct
import zlib
from pathlib import Path

import pytest
import torch
from torch import nn

from nas.lowering import lower
from nas.packed import (
    ArtifactError,
    class_names,
    ledger,
    pack,
    preprocessing,
    unpack,
    with_class_names,
    with_preprocessing,
)
from nas.preprocessing import Preprocessing

ALL = Preprocessing("float32", (1.0, -2.0, 0.5), (0.25, 3.0, 9.0), 4.0)


def sealed(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


@pytest.fixture
def packed() -> bytes:
    """A file without preprocessing, of a network for three features."""
    generator = torch.Generator().manual_seed(0)
    return pack(lower(nn.Sequential(nn.Linear(3, 2)), torch.rand(8, 3, generator=generator)))


@pytest.mark.parametrize(
    ("one", "more"),
    [
        (Preprocessing("uint8"), 1),
        (Preprocessing("int16"), 1),
        (Preprocessing("uint8", deviation=(16.0,)), 5),
        (Preprocessing("uint8", (33.0,), (79.0,)), 9),
        (Preprocessing("uint8", (125.0, 123.0, 114.0), (63.0, 62.0, 67.0)), 25),
        (Preprocessing("float32", (1.0, 2.0, 3.0)), 13),
        (ALL, 29),
    ],
)
def test_it_comes_back_and_the_program_is_the_same(
    one: Preprocessing, more: int, packed: bytes
) -> None:
    prepared = with_preprocessing(packed, one)
    assert (preprocessing(packed), preprocessing(prepared)) == (None, one)
    assert pack(unpack(prepared)) == packed
    assert len(prepared) == len(packed) + more
    assert ("preprocessing", more) in [(entry.purpose, entry.bytes) for entry in ledger(prepared)]
    named = with_class_names(prepared, ("a", "b"))
    assert (preprocessing(named), class_names(named)) == (one, ("a", "b"))


def test_it_is_still_written_as_the_same_bytes(packed: bytes) -> None:
    written = "3e 0000803f 000000c0 0000003f 0000803e 00004040 00001041 00008040"
    prepared = with_preprocessing(packed, ALL)
    assert prepared[:4] + prepared[5:-4] == packed[:4] + packed[5:-4] + bytes.fromhex(written)


def test_files_of_every_version_take_it() -> None:
    for path in sorted((Path(__file__).parent / "golden").glob("v*.bin")):
        prepared = with_preprocessing(path.read_bytes(), Preprocessing("uint8"))
        assert preprocessing(prepared) == Preprocessing("uint8")
        assert prepared[4] == path.read_bytes()[4] + 64


def test_what_cannot_be_added_is_refused(packed: bytes) -> None:
    with pytest.raises(ArtifactError, match="each of 3 channels or features, but has 2"):
        with_preprocessing(packed, Preprocessing("uint8", (1.0, 2.0)))
    for file in (with_preprocessing(packed, ALL), with_class_names(packed, ("a", "b"))):
        with pytest.raises(ArtifactError, match="must be without preprocessing and class names"):
            with_preprocessing(file, ALL)


def test_damaged_preprocessing_is_refused(packed: bytes) -> None:
    body = packed[:4] + bytes([packed[4] | 64]) + packed[5:-4]
    one = struct.pack("<f", 1.0)
    for data, message in (
        (b"", "1 bytes must follow"),
        (b"\3", "must be of type 0 to 2"),
        (b"\x40", "no flags above 32, but is 64"),
        (b"\4", "4 bytes must follow"),
        (b"\x14" + one, "12 bytes must follow"),
        (b"\4" + bytes(4), "as short as can be"),
        (b"\4" + struct.pack("<f", -0.0), "as short as can be"),
        (b"\x08" + struct.pack("<f", 255.0), "as short as can be"),
        (b"\x14" + 3 * one, "as short as can be"),
        (b"\x10", "as short as can be"),
        (b"\4" + struct.pack("<f", float("nan")), "a mean must be finite"),
        (b"\x08" + bytes(4), "a deviation must be finite and above 0"),
        (b"\x20" + bytes(4), "a limit must be finite and above 0"),
        (b"\0\0", "bytes behind the preprocessing must be at most 0, but got 1"),
    ):
        with pytest.raises(ArtifactError, match=message):
            unpack(sealed(body + data))
