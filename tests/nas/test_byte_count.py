import pytest

from nas.byte_count import byte_count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("13250", 13250),
        ("13,250", 13250),
        ("20kb", 20_000),
        ("64k", 64_000),
        ("64K", 64_000),
        ("20 kB", 20_000),
        ("20KiB", 20_480),
        ("1.5kib", 1536),
        ("1.5 MB", 1_500_000),
        ("2Gi", 2**31),
        ("7B", 7),
        (" 7 ", 7),
    ],
)
def test_bytes_have_units_of_a_thousand_or_of_1024(text: str, count: int) -> None:
    assert byte_count(text) == count


@pytest.mark.parametrize("text", ["", "k", "-5", "5x", "1e3", "5 k i", "kb 5", "5bb"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number of bytes such as 13250, 20kB or 20KiB"):
        byte_count(text)
