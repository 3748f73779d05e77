import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.packed.fields import Cursor, Entry, pair, varint
from nas.packed.layout import ArtifactError

NUMBERS = st.integers(0, 2**32 - 1) | st.integers(0, 300)


@given(value=NUMBERS)
def test_varints_are_seven_bits_a_byte(value: int) -> None:
    cursor = Cursor(memoryview(varint(value)))
    assert cursor.varint() == value
    assert len(cursor.rest) == 0
    assert len(varint(value)) == max(1, -(-value.bit_length() // 7))


@pytest.mark.parametrize(
    ("value", "data"),
    [(0, "00"), (127, "7f"), (128, "8001"), (624485, "e58e26"), (2**32 - 1, "ffffffff0f")],
)
def test_varints_are_leb128(value: int, data: str) -> None:
    assert varint(value) == bytes.fromhex(data)


@pytest.mark.parametrize("value", [-1, 2**32])
def test_numbers_that_no_varint_holds_are_refused(value: int) -> None:
    with pytest.raises(ArtifactError, match=f"must lie in 0 … 4,294,967,295, but got {value:,}"):
        varint(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("8000", "as short as can be, but 0 is written with 2 bytes"),
        ("ff8000", "as short as can be, but 127 is written with 3 bytes"),
        ("8080808000", "as short as can be, but 0 is written with 5 bytes"),
        ("ffffffff10", "at most 4,294,967,295, but is 4,563,402,751 or more"),
        ("ffffffff8f01", "at most 4,294,967,295, but is 4,294,967,295 or more"),
        ("808080808080", "at most 4,294,967,295"),
        ("", "1 bytes must follow, but there are 0"),
        ("80", "1 bytes must follow, but there are 0"),
    ],
)
def test_other_bytes_are_no_varint(data: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        Cursor(memoryview(bytes.fromhex(data))).varint()


@given(first=st.integers(0, 2**31 - 1), second=NUMBERS)
def test_pairs_of_equal_numbers_are_written_once(first: int, second: int) -> None:
    for values in ((first, second), (first, first)):
        cursor = Cursor(memoryview(pair(values)))
        assert cursor.pair() == values
        assert len(cursor.rest) == 0
    assert pair((first, first)) == varint(2 * first)


def test_pairs_of_equal_numbers_written_twice_are_refused() -> None:
    with pytest.raises(
        ArtifactError, match="equal numbers must be written as one, but 3 is written twice"
    ):
        Cursor(memoryview(bytes([7, 3]))).pair()


def test_each_byte_is_entered_once() -> None:
    cursor = Cursor(memoryview(bytes([1, 0, 0, 0x80, 0x3F, 2, 1, 0xE4, 0xE4])))
    cursor.byte()
    cursor.enter("nameless")
    cursor.layer = "0.conv"
    assert cursor.float32() == 1.0
    cursor.enter("scale")
    cursor.enter("nothing")
    np.testing.assert_array_equal(cursor.uint16(1), np.array([258], np.uint16))
    np.testing.assert_array_equal(cursor.packed(4, 2), np.array([3, 2, 1, 0], np.uint8))
    np.testing.assert_array_equal(cursor.packed_signed(4, 2), np.array([-1, -2, 1, 0]))
    cursor.enter("arrays")
    assert cursor.entries == [
        Entry("", "nameless", 1),
        Entry("0.conv", "scale", 4),
        Entry("0.conv", "arrays", 4),
    ]
    with pytest.raises(ArtifactError, match="2 bytes must follow, but there are 0"):
        cursor.uint16(1)
