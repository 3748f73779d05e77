import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.packed import bits
from nas.packed.layout import ArtifactError


@given(data=st.data(), width=st.integers(0, 32))
def test_numbers_come_back_from_as_few_bytes_as_they_need(data: st.DataObject, width: int) -> None:
    values = data.draw(st.lists(st.integers(0, 2**width - 1), max_size=40))
    packed = bits.pack(np.array(values, np.uint32), width)
    assert len(packed) == bits.packed_bytes(len(values), width) == -(-len(values) * width // 8)
    found = bits.unpack(packed, len(values), width)
    assert found.tolist() == values
    assert found.dtype == (np.uint8 if width <= 8 else np.uint32)


@pytest.mark.parametrize("width", [1, 3, 8, 13, 32])
@pytest.mark.parametrize("count", [2**16 - 1, 2**16, 2**16 + 5])
def test_the_bits_are_those_of_one_long_number(count: int, width: int) -> None:
    values = (
        np.arange(count, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(2**width)
    ).astype(np.uint32)
    text = "".join(f"{value:0{width}b}" for value in values.tolist())
    packed = bits.pack(values, width)
    assert packed == int(text.ljust(8 * len(packed), "0"), 2).to_bytes(len(packed), "big")
    np.testing.assert_array_equal(bits.unpack(packed, count, width), values)


def test_the_first_number_takes_the_top_bits() -> None:
    assert bits.pack(np.array([1, 2, 3], np.uint8), 2) == bytes([0b01_10_11_00])
    assert bits.pack(np.array([1, 2], np.uint8), 6) == bytes([0b000001_00, 0b0010_0000])


def test_what_needs_more_bits_is_cut() -> None:
    assert bits.pack(np.array([0b1110, 0b0101], np.uint8), 2) == bits.pack(
        np.array([0b10, 0b01], np.uint8), 2
    )


@pytest.mark.parametrize("spare", range(5))
def test_bits_that_fill_the_last_byte_must_be_zero(spare: int) -> None:
    with pytest.raises(
        ArtifactError,
        match=f"last 5 bits of packed numbers must be 0, but the last byte is {0xE0 | 1 << spare:#x}",
    ):
        bits.unpack(bytes([0xE0 | 1 << spare]), 1, 3)


@pytest.mark.parametrize(
    ("values", "width"),
    [
        ([0, 0], 0),
        ([-1], 1),
        ([-1, 0], 1),
        ([1], 2),
        ([-2, 1], 2),
        ([2], 3),
        ([127, -128], 8),
        ([128], 9),
        ([-129], 9),
        ([2**31 - 1], 32),
        ([-(2**31)], 32),
    ],
)
def test_signed_numbers_get_the_fewest_bits(values: list[int], width: int) -> None:
    array = np.array(values, np.int32)
    assert bits.signed_width(array) == width
    assert bits.unpack_signed(bits.pack_signed(array, width), len(values), width).tolist() == values


@given(
    values=st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=9),
    extra=st.integers(0, 3),
)
def test_signed_numbers_come_back(values: list[int], extra: int) -> None:
    array = np.array(values, np.int32)
    fewest = bits.signed_width(array)
    width = min(fewest + extra, 32)
    assert bits.unpack_signed(bits.pack_signed(array, width), len(values), width).tolist() == values
    if fewest:
        assert (
            bits.unpack_signed(
                bits.pack_signed(array, fewest - 1), len(values), fewest - 1
            ).tolist()
            != values
        )
