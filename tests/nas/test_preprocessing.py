"""Raw values become what networks read."""

import numpy as np
import pytest
import torch

from nas.data.files import PIXELS, scaled
from nas.preprocessing import Preprocessing, from_json

BYTES = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)


def test_pixels_are_what_readers_of_images_give() -> None:
    assert torch.equal(torch.from_numpy(PIXELS.apply(BYTES)), scaled(BYTES))
    assert (PIXELS.undo(PIXELS.apply(BYTES)) == BYTES).all()


def test_each_channel_has_its_own_mean_and_deviation() -> None:
    one = Preprocessing("int16", mean=(1.0, 2.0), deviation=(2.0,))
    assert one.deviation == (2.0, 2.0)
    found = one.apply(np.array([[[1, 3], [2, 0]]], np.int16))
    assert found.tolist() == [[[0.0, 1.0], [0.0, -1.0]]]
    with pytest.raises(ValueError, match="one for each of 3 channels or features, but has 2"):
        one.apply(np.zeros((1, 3)))


def test_equal_entries_are_one() -> None:
    assert Preprocessing("uint8", (3.0, 3.0), (2.0, 2.0)) == Preprocessing("uint8", (3.0,), (2.0,))
    assert Preprocessing("int16").deviation == (32768.0,)


def test_missing_values_are_the_mean_and_others_are_clipped() -> None:
    found = Preprocessing("float32", (5.0,), (2.0,), 1.5).apply(
        np.array([[np.nan, 9.0, -9.0, 6.0]])
    )
    assert found.tolist() == [[0.0, 1.5, -1.5, 0.5]]


def test_entries_are_32_bit_floats() -> None:
    one = Preprocessing("float32", (0.1,), (0.3,), 0.7)
    assert one.mean == (float(np.float32(0.1)),)
    assert from_json(one.to_json()) == one


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"raw": "int8"}, "must be one of .*but got 'int8'"),
        (
            {"raw": "uint8", "deviation": (0.0,)},
            "a deviation must be finite and above 0, but is 0.0",
        ),
        ({"raw": "uint8", "deviation": (1e-50,)}, "a deviation must be"),
        ({"raw": "uint8", "mean": (1e50,)}, "a mean must be finite, but is inf"),
        ({"raw": "uint8", "mean": (float("nan"),)}, "a mean must be finite, but is nan"),
        ({"raw": "uint8", "limit": -1.0}, "a limit must be"),
        ({"raw": "uint8", "mean": (1.0, 2.0), "deviation": (1.0, 2.0, 3.0)}, "but got 2 and 3"),
        ({"raw": "uint8", "mean": ()}, "but got 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessing(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"raw": "uint8"}',
        '{"raw": "uint8", "mean": 1, "deviation": [1]}',
        '{"raw": "uint8", "mean": [1], "deviation": [1], "more": 1}',
    ],
)
def test_damaged_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"preprocessing must be a JSON object|Expecting"):
        from_json(text)
