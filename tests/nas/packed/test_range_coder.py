import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nas.packed import range_coder
from nas.packed.code_length import code_bytes
from nas.packed.layout import ArtifactError

RNG = np.random.default_rng(0)


def skewed(count: int, width: int, share: float = 0.8) -> NDArray[np.uint8]:
    """Symbols most of which are 0."""
    some = RNG.integers(0, 2**width, count) * (RNG.random(count) > share)
    return some.astype(np.uint8)


def alike(count: int, width: int) -> NDArray[np.uint8]:
    """Symbols that are mostly near the one before."""
    near: NDArray[np.uint8] = (np.cumsum(RNG.integers(-1, 2, count)) % 2**width).astype(np.uint8)
    return near


SERIES = [
    pytest.param(make(count, width), width, id=f"{make.__name__} {count} of {width} bits")
    for make in (skewed, alike)
    for count in (1, 7, 3000)
    for width in (1, 2, 3, 4)
]


class Node:
    def __init__(self) -> None:
        self.p, self.count = 32768, 0

    @property
    def chance(self) -> int:
        assert 3 <= self.p >> 4 <= 4092
        return self.p >> 4

    def adapt(self, bit: int) -> None:
        s, digits = 1, self.count + 1
        while digits > 1 and s < 6:
            s, digits = s + 1, digits >> 1
        self.p = self.p - (self.p >> s) if bit else self.p + ((65535 - self.p) >> s)
        self.count = min(self.count + 1, 31)


def read_as_specified(data: bytes, count: int, width: int) -> list[int]:
    """A reader as a device would have it: written from the specification, in 32 bits."""
    context = min(width, 3)
    nodes = [Node() for _ in range(2 ** (context + width))]
    stream, symbols = iter(data), list[int]()
    code, span = sum(next(stream) << shift for shift in (24, 16, 8, 0)), 2**32 - 1
    for _ in range(count):
        before = symbols[-1] if symbols else 0
        n = 2**context + (before >> (width - context))
        for _ in range(width):
            bound = (span >> 12) * nodes[n].chance
            bit = int(code >= bound)
            nodes[n].adapt(bit)
            code, span = (code - bound, span - bound) if bit else (code, bound)
            n = 2 * n + bit
            while span < 2**24:
                code, span = (code << 8) + next(stream), span << 8
            assert code < span < 2**32
        symbols.append(n & (2**width - 1))
    return symbols


def written_as_one_number(symbols: list[int], width: int) -> bytes:
    """The same code, with carries left to the integers of Python."""
    context, before, low, span, size = min(width, 3), 0, 0, 2**32 - 1, 4
    nodes = [Node() for _ in range(2 ** (context + width))]
    for symbol in symbols:
        n, before = 2**context + (before >> (width - context)), symbol
        for shift in reversed(range(width)):
            bit = symbol >> shift & 1
            bound = (span >> 12) * nodes[n].chance
            nodes[n].adapt(bit)
            low, span = (low + bound, span - bound) if bit else (low, bound)
            n = 2 * n + bit
            while span < 2**24:
                low, span, size = low << 8, span << 8, size + 1
    return (-(-low // 2**16)).to_bytes(size - 2)


@pytest.mark.parametrize(("symbols", "width"), SERIES)
def test_symbols_come_back_whatever_follows(symbols: NDArray[np.uint8], width: int) -> None:
    data = range_coder.encode(symbols, width)
    assert data == written_as_one_number(symbols.tolist(), width)
    for behind in (b"", b"\0\0\0", b"\xff\xff\xff"):
        found, used = range_coder.decode(memoryview(data + behind), len(symbols), width)
        np.testing.assert_array_equal(found, symbols)
        assert used == len(data)
        if behind:
            assert read_as_specified(data + behind, len(symbols), width) == symbols.tolist()


@given(width=st.integers(1, 4), row=st.lists(st.integers(0, 15), min_size=1, max_size=80))
def test_any_symbols_come_back(width: int, row: list[int]) -> None:
    symbols = np.array(row, np.uint8) % 2**width
    data = range_coder.encode(symbols, width)
    found, used = range_coder.decode(memoryview(data + b"\xff"), len(row), width)
    assert (found.tolist(), used) == (symbols.tolist(), len(data))


@given(width=st.integers(1, 4), data=st.binary(max_size=40), count=st.integers(1, 60))
def test_bytes_are_refused_or_what_would_be_written(width: int, data: bytes, count: int) -> None:
    try:
        found, used = range_coder.decode(memoryview(data), count, width)
    except ArtifactError:
        return
    assert range_coder.encode(found, width) == data[:used]


def test_damage_rarely_goes_unseen() -> None:
    symbols = skewed(2000, 2)
    data, seen = range_coder.encode(symbols, 2), 0
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0x10
        try:
            range_coder.decode(memoryview(damaged), len(symbols), 2)
        except ArtifactError:
            seen += 1
    assert seen > 0.95 * len(data)


def test_codes_cut_anywhere_are_refused() -> None:
    symbols = alike(300, 3)
    data = range_coder.encode(symbols, 3)
    for cut in range(len(data)):
        with pytest.raises(
            ArtifactError, match=r"300 symbols must follow, but the bytes end|must end at"
        ):
            range_coder.decode(memoryview(data)[:cut], 300, 3)


def test_symbols_that_are_frequent_or_alike_cost_less_than_a_bit() -> None:
    assert len(range_coder.encode(np.zeros(100_000, np.uint8), 1)) < 100_000 / 8 / 500
    assert len(range_coder.encode(skewed(20_000, 2, 0.95), 2)) < 20_000 / 8 * 0.4
    # Of eight neighbours three are likely.
    assert len(range_coder.encode(alike(20_000, 3), 3)) < 20_000 / 8 * (np.log2(3) + 0.1)


def test_too_many_symbols_are_refused_before_memory_is_taken() -> None:
    tracemalloc.start()
    try:
        for count, message in ((2**20 + 1, "at most 1,048,576"), (2**20, "the bytes end before")):
            with pytest.raises(ArtifactError, match=message):
                range_coder.decode(memoryview(bytes(9)), count, 4)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("symbols", "width"), SERIES)
def test_the_length_is_known_without_coding(symbols: NDArray[np.uint8], width: int) -> None:
    wanted = len(range_coder.encode(symbols, width))
    assert abs(code_bytes(symbols, width) - wanted) < 0.01 * wanted + 1.5


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_the_length_of_a_run_is_known(width: int) -> None:
    symbols = np.zeros(50_000, np.uint8)
    wanted = len(range_coder.encode(symbols, width))
    assert abs(code_bytes(symbols, width) - wanted) < 0.03 * wanted + 1.5
