import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.packed.encodings import encode
from nas.packed.layout import ArtifactError
from nas.packed.pack import pack
from nas.packed.unpack import ledger, unpack
from nas.program.program import Program
from tests.nas.packed.packed_programs import layers, range_coded, seal, small

Build = Callable[..., Any]


Programs = st.SearchStrategy[Program]


def test_what_is_damaged_here_is_range_coded(build: Build) -> None:
    weights = [layer.weights for layer in layers(range_coded(build))]
    assert [encode(each.values, each.bits).encoding for each in weights] == [4, 4, 12]


@pytest.mark.parametrize("make", [small, range_coded])
def test_a_file_cut_anywhere_is_refused(make: Build, build: Build) -> None:
    packed = pack(make(build))
    for cut in range(len(packed)):
        with pytest.raises(ArtifactError, match=r"^byte \d"):
            unpack(packed[:cut])
        with pytest.raises(ArtifactError, match=r"^byte \d"):
            ledger(packed[:cut])
        with pytest.raises(ArtifactError, match=r"^byte \d+"):
            unpack(seal(packed[: min(cut, len(packed) - 5)]))


@pytest.mark.fault(57)
def test_a_file_with_any_bit_flipped_is_refused(build: Build) -> None:
    packed = pack(small(build))
    for place in range(len(packed)):
        for flip in (*(1 << bit for bit in range(8)), 0xFF):
            with pytest.raises(ArtifactError, match=rf"^byte (0|4|{len(packed) - 4}): "):
                unpack(packed[:place] + bytes([packed[place] ^ flip]) + packed[place + 1 :])


@contextmanager
def memory_limit(more: int) -> Iterator[None]:
    """Raises MemoryError when more than `more` further bytes are allocated."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def is_valid(data: bytes) -> bool:
    """Whether `data` can be read; asserts that what was read can be written again."""
    try:
        program = unpack(data)
    except ArtifactError:
        return False
    again = pack(program)
    assert pack(unpack(again)) == again
    assert sum(entry.bytes for entry in ledger(data)) == len(data)
    return True


@pytest.mark.fault(57)
@pytest.mark.parametrize(
    ("make", "flips"),
    [
        pytest.param(small, (0x01, 0x02, 0x80, 0xFF), marks=pytest.mark.slow),
        (small, (0x80,)),
        (range_coded, (0x01, 0x80)),
    ],
)
def test_a_sealed_file_with_any_byte_flipped_is_valid_or_refused(
    make: Build, flips: tuple[int, ...], build: Build
) -> None:
    """The checksum matches the damaged bytes, so the reader's other checks must hold."""
    body = pack(make(build))[:-4]
    flipped = [
        body[:i] + bytes([body[i] ^ flip]) + body[i + 1 :]
        for i in range(len(body))
        for flip in flips
    ]
    with memory_limit(256 << 20):
        valid = sum(is_valid(seal(damaged)) for damaged in flipped)
    assert 100 < valid < len(flipped) - 100


def test_damage_to_range_codes_is_seen_where_the_checksum_matches(build: Build) -> None:
    program = range_coded(build)
    packed, code = pack(program), encode(layers(program)[0].weights.values, 4).data
    begin = packed.index(code)
    refused = sum(
        not is_valid(seal(packed[:place] + bytes([packed[place] ^ 0x20]) + packed[place + 1 : -4]))
        for place in range(begin, begin + len(code))
    )
    assert refused > 0.9 * len(code)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_sealed_bytes_of_any_kind_are_valid_or_refused(
    data: st.DataObject, programs: Programs
) -> None:
    body = bytearray(pack(data.draw(programs))[:-4])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(5, len(body)))
        gone, new = data.draw(st.integers(0, 3)), data.draw(st.binary(max_size=6))
        body[place : place + gone] = new
    with memory_limit(256 << 20):
        is_valid(seal(bytes(body)))
