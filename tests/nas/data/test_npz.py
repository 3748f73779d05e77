import pickle
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from nas.data import DataError, Split, read_npz

BYTES = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
LABELS = np.array([1, 0])


class Canary:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def load(folder: Path, inputs: NDArray[Any], labels: NDArray[Any] = LABELS) -> Split:
    np.savez_compressed(folder / "data.npz", x=inputs, y=labels)
    return read_npz(folder / "data.npz", "x", "y")


def load_raw(folder: Path, header: str, body: bytes, version: tuple[int, int] = (1, 0)) -> Split:
    """Reads an archive whose inputs have this header, whatever their bytes."""
    np.savez(folder / "data.npz", y=LABELS)
    with zipfile.ZipFile(folder / "data.npz", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "x.npy",
            b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(header)) + header.encode() + body,
        )
    return read_npz(folder / "data.npz", "x", "y")


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (BYTES, BYTES.transpose(0, 3, 1, 2) / 255),
        (BYTES.transpose(0, 3, 1, 2), BYTES.transpose(0, 3, 1, 2) / 255),
        (BYTES[..., :1], BYTES[:, None, :, :, 0] / 255),
        (BYTES[..., 0], BYTES[:, None, :, :, 0] / 255),
        (BYTES.reshape(2, -1), BYTES.reshape(2, -1) / 255),
        (BYTES.astype(np.float64) - 7, BYTES.transpose(0, 3, 1, 2) - 7.0),
        (np.array([[0.5, -2.0], [1e6, 3.0]], dtype=">f4"), np.array([[0.5, -2.0], [1e6, 3.0]])),
        (np.asfortranarray(BYTES[..., 0].astype(np.float16)), BYTES[:, None, :, :, 0]),
    ],
)
def test_images_become_channels_first_and_bytes_0_to_1(
    inputs: NDArray[Any], expected: NDArray[Any], tmp_path: Path
) -> None:
    split = load(tmp_path, inputs)
    assert torch.equal(split.inputs, torch.from_numpy(expected.astype(np.float32)))
    assert split.inputs.is_contiguous()


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.int64, ">i2", np.uint64])
def test_labels_may_be_of_any_integer_type(dtype: str, tmp_path: Path) -> None:
    split = load(tmp_path, BYTES, LABELS.astype(dtype))
    assert split.labels.dtype == torch.int64
    assert split.labels.tolist() == [1, 0]


@settings(deadline=None)  # a busy machine is no failure
@given(
    table=arrays.arrays(
        np.float32, arrays.array_shapes(min_dims=2, max_dims=2), elements=st.floats(width=32)
    )
)
def test_tables_of_floats_come_back_as_they_are(
    table: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory
) -> None:
    split = load(tmp_path_factory.mktemp("npz"), table, np.zeros(len(table), np.int64))
    assert np.array_equal(split.inputs.numpy(), table, equal_nan=True)


def test_numbers_too_large_for_float32_become_infinite(tmp_path: Path) -> None:
    assert load(tmp_path, np.array([[1e300], [0.0]])).inputs.tolist() == [[float("inf")], [0.0]]


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (
            BYTES.astype(np.int64),
            LABELS,
            "'x' in .*data.npz must be uint8 or floating point numbers, but is int64",
        ),
        (
            BYTES.astype(bool),
            LABELS,
            "'x' in .*data.npz must be uint8 or floating point numbers, but is bool",
        ),
        (np.zeros((2, 3), complex), LABELS, "but is complex128"),
        (np.array([["a"], ["b"]]), LABELS, "but is <U1"),
        (
            np.zeros((2, 3, 8, 3)),
            LABELS,
            r"1 or 3 channels either first or last, but has shape \(2, 3, 8, 3\)",
        ),
        (
            np.zeros((2, 8, 8, 4)),
            LABELS,
            r"'x' in .*data.npz must be .* but has shape \(2, 8, 8, 4\)",
        ),
        (np.zeros(2), LABELS, r"must be \[N, F\].* but has shape \(2,\)"),
        (np.array(2.0), LABELS, r"must be \[N, F\].* but has shape \(\)"),
        (
            np.zeros((0, 4)),
            LABELS[:0],
            r"data.npz must hold at least one value .* has shape \(0, 4\)",
        ),
        (
            BYTES,
            LABELS[:1],
            "data.npz must hold a label for each input, but has 2 inputs and 1 labels",
        ),
        (
            BYTES,
            LABELS.astype(float),
            r"'y' in .*data.npz must be integers \[N\], or texts, but is float64 \(2,\)",
        ),
        (
            BYTES,
            LABELS[:, None, None],
            r"'y' in .*data.npz must be integers \[N\], or texts, but is int64 \(2, 1, 1\)",
        ),
        (
            BYTES,
            np.array(1),
            r"'y' in .*data.npz must be integers \[N\], or texts, but is int64 \(\)",
        ),
    ],
)
def test_other_types_and_shapes_are_refused(
    inputs: NDArray[Any], labels: NDArray[Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        load(tmp_path, inputs, labels)


def test_a_missing_name_lists_the_names_there_are(tmp_path: Path) -> None:
    load(tmp_path, BYTES)
    for inputs, labels in (("images", "y"), ("x", "images"), ("x.npy", "images")):
        with pytest.raises(
            DataError,
            match=r"data.npz must hold an array named '(images|x.npy)', but holds \['x', 'y'\]",
        ):
            read_npz(tmp_path / "data.npz", inputs, labels)


@pytest.mark.fault(51)
@pytest.mark.parametrize("name", ["x", "y"])
def test_objects_are_refused_without_being_unpickled(name: str, tmp_path: Path) -> None:
    content: dict[str, NDArray[Any]] = {"x": BYTES, "y": LABELS}
    content[name] = np.array([Canary(tmp_path / "canary")] * 2, dtype=object)
    np.savez(tmp_path / "data.npz", x=content["x"], y=content["y"])
    with pytest.raises(
        DataError,
        match=f"'{name}' in .*data.npz must hold numbers, but holds Python objects: .* a pickle",
    ):
        read_npz(tmp_path / "data.npz", "x", "y")
    assert not (tmp_path / "canary").exists()


def test_a_pickle_by_another_name_is_refused_without_being_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
    with pytest.raises(
        DataError,
        match=f"{re.escape(str(path))} must be an .npz archive, but it cannot be read: .* not a zip",
    ):
        read_npz(path, "x", "y")
    assert not (tmp_path / "canary").exists()


@pytest.mark.fault(57, 77)
@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (10, 8)}",
            r"must hold 640 bytes for its shape \(10, 8\) of float64, but holds 64",
        ),
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1)}",
            r"must hold 8 bytes for its shape \(1, 1\) of float64, but holds 64",
        ),
        (
            "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 999999999)}",
            "at most 4294967296 bytes as float32",
        ),
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 300000000)}",
            "at most 4294967296 bytes as float32",
        ),
        (
            "{'descr': '|V0', 'fortran_order': False, 'shape': (2, 999999999)}",
            "at most 4294967296 bytes as float32",
        ),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-8, -1)}", "cannot be read: "),
        (
            "{'descr': 5, 'fortran_order': False, 'shape': (2, 4)}",
            "cannot be read: descr is not a valid dtype",
        ),
        ("(" * 5000, "cannot be read: "),
        ("'" * 3, "cannot be read: "),
    ],
)
def test_lying_headers_are_refused(header: str, message: str, tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=f"data.npz.* {message}"):
            load_raw(tmp_path, header, bytes(64))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_later_versions_of_the_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"'x' in .*data.npz must be of version \(1, 0\) .* but is of \(2, 0\)"
    ):
        load_raw(tmp_path, "{}", b"", version=(2, 0))


@pytest.mark.fault(57)
def test_an_archive_with_any_byte_flipped_is_read_alike_or_refused(tmp_path: Path) -> None:
    expected = load(tmp_path, BYTES[:, :2, :2])
    path = tmp_path / "data.npz"
    content = path.read_bytes()
    for index in range(len(content)):
        path.write_bytes(content[:index] + bytes([content[index] ^ 0xFF]) + content[index + 1 :])
        try:
            split = read_npz(path, "x", "y")
        except DataError:
            continue
        assert torch.equal(split.inputs, expected.inputs)
        assert torch.equal(split.labels, expected.labels)
