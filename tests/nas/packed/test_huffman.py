import heapq
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nas.packed import huffman
from nas.packed.layout import ArtifactError

ROWS = st.lists(
    st.sampled_from([0, 0, 0, 0, 1, 1, 2, 7, 128, 255]), min_size=2, max_size=60
).filter(lambda row: len(set(row)) > 1)


def read_bit_by_bit(data: bytes, count: int, lengths: NDArray[np.uint8]) -> list[int]:
    """A reader as a device would have it: it walks up the lengths and holds the first code of each
    (after puff, by Adler).
    """
    per_length = [int((lengths == length).sum()) for length in range(16)]
    ordered = sorted((length, symbol) for symbol, length in enumerate(lengths.tolist()) if length)
    symbols, position = [], 0
    for _ in range(count):
        code = first = index = 0
        for length in range(1, 16):
            code |= data[position // 8] >> (7 - position % 8) & 1
            position += 1
            if code - first < per_length[length]:
                symbols.append(ordered[index + code - first][1])
                break
            index += per_length[length]
            first = 2 * (first + per_length[length])
            code *= 2
    return symbols


def coded(row: list[int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], bytes]:
    symbols = np.array(row, np.uint8)
    lengths = huffman.code_lengths(np.bincount(symbols, minlength=256))
    return symbols, lengths, huffman.encode(symbols, lengths)


@given(row=ROWS)
def test_symbols_come_back_from_the_lengths_alone(row: list[int]) -> None:
    symbols, lengths, data = coded(row)
    found, used = huffman.decode(memoryview(data + b"\xff\xff\xff"), len(row), lengths)
    np.testing.assert_array_equal(found, symbols)
    assert used == len(data) == -(-int(lengths[symbols].sum(dtype=int)) // 8)
    assert read_bit_by_bit(data, len(row), lengths) == row


@given(row=ROWS)
def test_no_code_is_shorter(row: list[int]) -> None:
    symbols, lengths, _ = coded(row)
    heap, least = [count for count in np.bincount(symbols).tolist() if count], 0
    heapq.heapify(heap)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        least += merged
        heapq.heappush(heap, merged)
    assert int(lengths[symbols].sum(dtype=int)) == least
    assert set(np.flatnonzero(lengths).tolist()) == set(row)


def test_codes_are_canonical() -> None:
    lengths = np.array([3, 3, 3, 3, 3, 2, 4, 4], np.uint8)  # the example of RFC 1951, section 3.2.2
    data = huffman.encode(np.arange(8, dtype=np.uint8), lengths)
    bits = "".join(["010", "011", "100", "101", "110", "00", "1110", "1111"])
    assert data == int(bits.ljust(32, "0"), 2).to_bytes(4, "big")


def test_codes_have_at_most_15_bits() -> None:
    counts = [1, 1]
    while len(counts) < 30:
        counts.append(counts[-1] + counts[-2])
    lengths = huffman.code_lengths(np.array(counts))
    assert lengths.max() == 15
    assert sum(2.0**-length for length in lengths.tolist()) == 1.0
    assert all(rarer >= commoner for rarer, commoner in pairwise(lengths.tolist()))
    symbols = np.arange(30, dtype=np.uint8)
    np.testing.assert_array_equal(
        huffman.decode(memoryview(huffman.encode(symbols, lengths)), 30, lengths)[0], symbols
    )


@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param([0, 0, 0, 0], id="no code"),
        pytest.param([0, 1, 0, 0], id="one code, the other unused"),
        pytest.param([1, 2, 3, 0], id="one unused"),
        pytest.param([1, 1, 1, 0], id="one twice"),
        pytest.param([15, 15, 15, 15], id="most unused"),
    ],
)
def test_lengths_of_no_complete_code_are_refused(lengths: list[int]) -> None:
    with pytest.raises(
        ArtifactError, match=rf"must leave no code unused and none twice, but are \[{lengths[0]}, "
    ):
        huffman.decode(memoryview(bytes(9)), 4, np.array(lengths, np.uint8))


@given(row=ROWS, more=st.integers(1, 20))
def test_codes_that_are_cut_are_refused(row: list[int], more: int) -> None:
    _, lengths, data = coded(row)
    for cut in range(len(data)):
        with pytest.raises(ArtifactError, match="symbols must follow"):
            huffman.decode(memoryview(data)[:cut], len(row), lengths)
    with pytest.raises(ArtifactError, match=r"symbols must follow|behind the last code"):
        huffman.decode(memoryview(data), len(row) + 8 * more, lengths)


def test_a_code_that_begins_in_the_last_byte_must_end_there() -> None:
    with pytest.raises(
        ArtifactError, match="8 symbols must follow, but the bytes end before the last one"
    ):
        huffman.decode(memoryview(b"\x01"), 8, np.array([1, 2, 2], np.uint8))


def test_no_room_is_made_for_more_symbols_than_there_are_bits() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(
            ArtifactError, match="67,108,864 symbols must follow, but there are 9 bytes"
        ):
            huffman.decode(memoryview(bytes(9)), 2**26, np.array([1, 1], np.uint8))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_bits_behind_the_last_code_must_be_zero() -> None:
    lengths = np.array([1, 2, 2], np.uint8)
    assert huffman.decode(memoryview(b"\xc0"), 1, np.array([2, 2, 2, 2], np.uint8))[0].tolist() == [
        3
    ]
    with pytest.raises(
        ArtifactError, match="behind the last code must be 0, but the last byte is 0x41"
    ):
        huffman.decode(memoryview(b"\x41"), 6, lengths)


@pytest.mark.parametrize("shift", range(3))
def test_long_rows_come_back(shift: int) -> None:
    """More than one block is written and read, with codes across their borders."""
    generator = np.random.default_rng(shift)
    symbols = np.clip(generator.normal(scale=40, size=300_000 + shift) + 128, 0, 255).astype(
        np.uint8
    )
    lengths = huffman.code_lengths(np.bincount(symbols, minlength=256))
    data = huffman.encode(symbols, lengths)
    assert len(data) > 4 * 2**16
    found, used = huffman.decode(memoryview(data), len(symbols), lengths)
    np.testing.assert_array_equal(found, symbols)
    assert used == len(data)
