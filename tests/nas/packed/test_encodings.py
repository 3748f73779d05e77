import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nas.packed.encodings import CODEBOOK, Encoded, decode, encode
from nas.packed.fields import Cursor
from nas.packed.layout import ArtifactError

RAW, MASK, GAPS, HUFFMAN, RANGE = range(5)
RNG = np.random.default_rng(0)


def gaussian(count: int, bits: int) -> NDArray[np.int8]:
    top = 2 ** (bits - 1) - 1
    return np.clip(np.rint(RNG.normal(scale=top / 2.5, size=count)), -top, top).astype(np.int8)


def sparse(values: NDArray[np.int8], share: float) -> NDArray[np.int8]:
    kept: NDArray[np.int8] = values * (RNG.random(len(values)) < share)
    return kept


def chosen(values: list[int], count: int, shares: list[float] | None = None) -> NDArray[np.int8]:
    return RNG.choice(np.array(values, np.int8), count, p=shares)


def read(encoded: Encoded, bits: int, count: int) -> NDArray[np.int8]:
    cursor = Cursor(memoryview(encoded.data), encoded.version)
    weights = decode(cursor, encoded.encoding, bits, count)
    assert len(cursor.rest) == 0
    assert sum(entry.bytes for entry in cursor.entries) == len(encoded.data)
    return weights


@pytest.mark.parametrize(
    ("weights", "bits", "encoding", "size"),
    [
        pytest.param(chosen([*range(-7, 8)], 300), 4, RAW, 150, id="all levels as frequent"),
        pytest.param(
            chosen([*range(-127, 128)], 2000), 8, RAW, 2000, id="all levels of 8 bits as frequent"
        ),
        pytest.param(chosen([-1, 1], 2001), 1, RAW, 251, id="signs"),
        pytest.param(np.array([-1], np.int8), 1, RAW, 1, id="one sign"),
        pytest.param(np.ones(16, np.int8), 1, RAW, 2, id="a codebook would be as long"),
        pytest.param(np.full(17, -1, np.int8), 1, CODEBOOK + RAW, 2, id="equal signs"),
        pytest.param(np.zeros(5000, np.int8), 4, GAPS, 2, id="all zero"),
        pytest.param(np.full(5000, -127, np.int8), 8, CODEBOOK + RAW, 2, id="a single value"),
        pytest.param(chosen([-90, -3, 5, 77], 400), 8, CODEBOOK + RAW, 105, id="four values"),
        pytest.param(
            chosen([-90, -3, 5, 77], 400, [0.7, 0.1, 0.1, 0.1]),
            8,
            CODEBOOK + HUFFMAN,
            None,
            id="one of four is frequent",
        ),
        pytest.param(
            sparse(chosen([-90, 33, 77], 64), 0.3),
            8,
            CODEBOOK + MASK,
            None,
            id="few values, and zeros",
        ),
        pytest.param(
            sparse(chosen([-90, 33, 77], 4000), 0.03),
            8,
            CODEBOOK + GAPS,
            None,
            id="few values, and mostly zeros",
        ),
        pytest.param(gaussian(2000, 4), 4, HUFFMAN, None, id="gaussian"),
        pytest.param(gaussian(2000, 8), 8, HUFFMAN, None, id="gaussian of 8 bits"),
        pytest.param(chosen([-1, 0, 1], 2000), 2, HUFFMAN, None, id="ternary"),
        pytest.param(sparse(gaussian(144, 8), 0.5), 8, MASK, None, id="half of them zero"),
        pytest.param(sparse(gaussian(4000, 4), 0.05), 4, GAPS, None, id="mostly zeros"),
        pytest.param(
            np.eye(1, 5000, 4999, np.int8).ravel() * np.int8(100),
            8,
            GAPS,
            7,
            id="the last one only",
        ),
    ],
)
def test_the_encoding_is_the_shortest_without_a_range_coder(
    weights: NDArray[np.int8], bits: int, encoding: int, size: int | None
) -> None:
    encoded = encode(weights, bits, newest=4)
    assert encoded.encoding == encoding
    assert size is None or len(encoded.data) == size
    np.testing.assert_array_equal(read(encoded, bits, len(weights)), weights)


@pytest.mark.parametrize(
    ("weights", "bits", "encoding", "least"),
    [
        pytest.param(chosen([-1, 0, 1], 5000, [0.05, 0.9, 0.05]), 2, RANGE, 0, id="mostly zeros"),
        pytest.param(
            chosen([-90, -3, 5, 77], 5000, [0.91, 0.03, 0.03, 0.03]),
            8,
            CODEBOOK + RANGE,
            0,
            id="one of four is frequent",
        ),
        pytest.param(
            (np.arange(3000) // 12 - 125).astype(np.int8), 8, RANGE, 0, id="neighbours are alike"
        ),
        pytest.param(np.resize([1, 1, -1], 3000).astype(np.int8), 1, RANGE, 0, id="regular signs"),
        pytest.param(chosen([-1, 1], 9000), 1, RAW, 1, id="signs"),
        pytest.param(chosen([*range(-7, 8)], 100), 4, RAW, 2, id="all levels as frequent"),
        pytest.param(np.full(17, -1, np.int8), 1, CODEBOOK + RAW, 2, id="as short is not shorter"),
    ],
)
def test_range_coded_is_what_is_shorter_so(
    weights: NDArray[np.int8], bits: int, encoding: int, least: int
) -> None:
    encoded, others = encode(weights, bits), encode(weights, bits, newest=4)
    assert encoded.encoding == encoding
    assert others.encoding % CODEBOOK < RANGE
    if encoding % CODEBOOK == RANGE:
        assert len(encoded.data) < len(others.data)
        assert (encoded.version, others.version) == (5, 1)
    else:
        assert encoded == others
    np.testing.assert_array_equal(read(encoded, bits, len(weights)), weights)


@given(
    bits=st.integers(1, 8),
    values=st.lists(st.integers(-127, 127), min_size=1, max_size=6),
    picks=st.lists(st.integers(0, 9), min_size=1, max_size=300),
)
def test_weights_come_back_from_no_more_bytes_than_any_encoding_needs(
    bits: int, values: list[int], picks: list[int]
) -> None:
    top = max(2 ** (bits - 1) - 1, 1)
    levels = (
        [1 if value > 0 else -1 for value in values]
        if bits == 1
        else [value % (2 * top + 1) - top for value in values]
    )
    # What is picked beyond the values is zero, or the first one where there is no zero.
    weights = np.array(
        [levels[pick] if pick < len(levels) else levels[0] * (bits == 1) for pick in picks], np.int8
    )
    encoded = encode(weights, bits)
    found = read(encoded, bits, len(weights))
    np.testing.assert_array_equal(found, weights)
    assert found.flags.writeable
    count, used, distinct = len(weights), int(np.count_nonzero(weights)), len(set(weights.tolist()))
    sizes = [-(-count * bits // 8), 1 + distinct - (-count * (distinct - 1).bit_length() // 8)]
    sizes += [-(-count // 8) - (-used * bits // 8)] if bits > 1 else []
    assert len(encoded.data) <= min(sizes)


@pytest.mark.parametrize("share", [0.3, 0.1, 0.03, 0.01, 0.001])
def test_zeros_cost_little_more_than_their_entropy(share: float) -> None:
    weights = sparse(chosen([-7, 7, 5, -5, 3, -3, 1, -1], 50_000), share)
    found = np.count_nonzero(weights) / len(weights)
    entropy = -found * np.log2(found) - (1 - found) * np.log2(1 - found) + 3 * found
    assert len(encode(weights, 4).data) < len(weights) / 8 * entropy * 1.3 + 10


@pytest.mark.parametrize("bits", range(3, 9))
def test_bell_shaped_weights_cost_little_more_than_their_entropy(bits: int) -> None:
    weights = gaussian(5000, bits)
    shares = np.unique(weights, return_counts=True)[1] / len(weights)
    entropy = -float((shares * np.log2(shares)).sum())
    assert len(encode(weights, bits).data) < len(weights) / 8 * (entropy + 0.08) + 40


@pytest.mark.parametrize("encoding", [*range(5), *range(CODEBOOK, CODEBOOK + 5)])
@pytest.mark.parametrize("count", [100, 2**16, 2**26])
def test_missing_bytes_are_refused(encoding: int, count: int) -> None:
    for data in (b"", b"\x01", b"\x02\x01\x02\x03", b"\x01\x01\x02\x03"):
        with pytest.raises(ArtifactError):
            decode(Cursor(memoryview(data), 5), encoding, 8, count)


@pytest.mark.parametrize(
    ("encoding", "data", "message"),
    [
        (5, b"\0", "coder of weights must be 0 to 4 in version 5, but is 5"),
        (CODEBOOK + 7, b"\0", "coder of weights must be 0 to 4 in version 5, but is 7"),
        (CODEBOOK + RAW, b"\x01\x05\x05\0", r"must ascend as unsigned bytes, but are \[5, 5\]"),
        (CODEBOOK + RAW, b"\x01\xff\x05\0", r"must ascend as unsigned bytes, but are \[-1, 5\]"),
        (CODEBOOK + RAW, b"\x02\1\2\3\x00\x00\x03", r"symbols must lie in 0 … 2, but one is 3"),
        (CODEBOOK + MASK, b"\0\1\0\0", "codebook of one value must have coder 0, but has 1"),
        (CODEBOOK + RAW, b"\x01\1\2\0\1", "last 4 bits of packed numbers must be 0"),
        (MASK, b"\0\x18", "last 4 bits of packed numbers must be 0"),
        (GAPS, b"\x0d\x01", "symbols with a gap must be at most 12, but got 13"),
        (GAPS, b"\x01\x00", "gap must have 1 to 12 bits, but got 0"),
        (GAPS, b"\x01\x0d", "gap must have 1 to 12 bits, but got 13"),
        (GAPS, b"\x01\x04\xc0\x10", "place of a symbol must be at most 11, but got 12"),
        (HUFFMAN, b"\x04", "split must be at most 3, but got 4"),
        (HUFFMAN, b"\x03\x12" + bytes(7), "no code unused"),
        (RANGE, b"", "the codes of 12 symbols must follow"),
        (RANGE, b"\x80\1\0\1\0\1" + bytes(9), "must end at 0 … 65,535, but ends at"),
    ],
)
def test_what_is_no_encoding_of_12_weights_is_refused(
    encoding: int, data: bytes, message: str
) -> None:
    with pytest.raises(ArtifactError, match=message):
        decode(Cursor(memoryview(data), 5), encoding, 4, 12)


def test_a_range_coder_is_refused_in_a_file_of_a_lower_version() -> None:
    encoded = encode((np.arange(300) // 20 - 7).astype(np.int8), 4)
    assert encoded.encoding == RANGE
    with pytest.raises(ArtifactError, match="must be 0 to 3 in version 4, but is 4"):
        decode(Cursor(memoryview(encoded.data), 4), RANGE, 4, 300)


def test_the_last_place_can_be_reached_by_a_gap() -> None:
    assert decode(Cursor(memoryview(b"\x01\x04\xb0\x10")), GAPS, 4, 12).tolist() == [0] * 11 + [1]
