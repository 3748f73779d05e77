import gzip
import os
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.data import DataError, read_idx, read_mnist

PIXELS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10
IMAGES = b"\0\0\x08\x03" + struct.pack(">3I", 2, 3, 4) + PIXELS.tobytes()
LABELS = b"\0\0\x08\x01" + struct.pack(">I", 2) + bytes([7, 0])


def pair(folder: Path, images: bytes = IMAGES, labels: bytes = LABELS) -> tuple[Path, Path]:
    paths = folder / "images", folder / "labels"
    for path, content in zip(paths, (images, labels), strict=True):
        path.write_bytes(content)
    return paths


@pytest.mark.parametrize("pack_images", [bytes, gzip.compress])
@pytest.mark.parametrize("pack_labels", [bytes, gzip.compress])
def test_plain_and_compressed_files_are_distinguished_by_content(
    pack_images: Callable[[bytes], bytes], pack_labels: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    split = read_idx(*pair(tmp_path, pack_images(IMAGES), pack_labels(LABELS)))
    assert split.inputs.dtype == torch.float32
    assert split.inputs.shape == (2, 1, 3, 4)
    assert torch.equal(split.inputs[:, 0], torch.from_numpy(PIXELS) / 255)
    assert split.labels.dtype == torch.int64
    assert split.labels.tolist() == [7, 0]


@pytest.mark.parametrize("cut", range(len(IMAGES)))
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_images_cut_at_any_byte_are_refused(
    cut: int, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    images, labels = pair(tmp_path, pack(IMAGES[:cut]))
    with pytest.raises(DataError, match=re.escape(str(images))):
        read_idx(images, labels)


@pytest.mark.parametrize("cut", range(len(LABELS)))
def test_labels_cut_at_any_byte_are_refused(cut: int, tmp_path: Path) -> None:
    images, labels = pair(tmp_path, labels=LABELS[:cut])
    with pytest.raises(DataError, match=re.escape(str(labels))):
        read_idx(images, labels)


def test_a_gzip_stream_cut_at_any_byte_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(IMAGES, mtime=0)
    for cut in range(len(packed)):
        images, labels = pair(tmp_path, packed[:cut])
        with pytest.raises(DataError, match=re.escape(str(images))):
            read_idx(images, labels)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (b"", "beginning with 00000803, but begins with nothing"),
        (
            LABELS,
            "an IDX file of unsigned bytes with 3 dimensions, beginning with 00000803, but begins with 00000801",
        ),
        (b"\0\0\x0d\x03" + IMAGES[4:], "begins with 00000d03"),
        (b"\x89PNG" + IMAGES[4:], "begins with 89504e47"),
        (IMAGES[:10], "must have a header of 16 bytes, but holds only 10"),
        (
            IMAGES[:-1],
            r"must hold the 24 bytes of its shape \(2, 3, 4\) after the header, but holds only 23",
        ),
        (
            IMAGES + b"\0",
            r"must hold the 24 bytes of its shape \(2, 3, 4\) after the header, but holds more",
        ),
        (gzip.compress(IMAGES + b"\0", mtime=0), "but holds more"),
        (gzip.compress(IMAGES, mtime=0) + b"trailing", "cannot be read: Not a gzipped file"),
        (gzip.compress(IMAGES, mtime=0)[:-8] + bytes(8), "cannot be read: CRC check failed"),
        (IMAGES[:4] + struct.pack(">3I", 0, 3, 4), r"at least one value .* has shape \(0, 3, 4\)"),
        (IMAGES[:4] + b"\xff" * 12, "at most 4294967296 bytes as float32, but has shape"),
        (
            IMAGES[:4] + struct.pack(">3I", 3, 3, 4) + bytes(36),
            "as many images as .*labels has labels, but got 3 and 2",
        ),
    ],
)
def test_damaged_images_are_refused(images: bytes, message: str, tmp_path: Path) -> None:
    paths = pair(tmp_path, images)
    with pytest.raises(DataError, match=f"^{re.escape(str(paths[0]))} .*{message}"):
        read_idx(*paths)


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(
            IMAGES[:4] + struct.pack(">3I", 1024, 1024, 1024) + bytes(8),
            id="a header that promises 1 GiB",
        ),
        pytest.param(gzip.compress(IMAGES + bytes(64 << 20)), id="64 MiB in 64 kB"),
    ],
)
def test_memory_follows_what_is_there(images: bytes, tmp_path: Path) -> None:
    paths = pair(tmp_path, images)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"but holds (only 8|more)"):
            read_idx(*paths)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    images, labels = pair(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"absent must be an IDX file .* but it is missing"):
        read_idx(tmp_path / "absent", labels)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(
            DataError, match=f"{re.escape(str(path))} must be an IDX file .* but it is not a file"
        ):
            read_idx(images, path)


@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_is_found_under_its_usual_names(separator: str, suffix: str, tmp_path: Path) -> None:
    pack = gzip.compress if suffix else bytes
    for part, classes in (("train", [1, 2]), ("t10k", [3, 4])):
        (tmp_path / f"{part}-images{separator}idx3-ubyte{suffix}").write_bytes(pack(IMAGES))
        (tmp_path / f"{part}-labels{separator}idx1-ubyte{suffix}").write_bytes(
            pack(LABELS[:-2] + bytes(classes))
        )
    train, test = read_mnist(tmp_path)
    assert (train.labels.tolist(), test.labels.tolist()) == ([1, 2], [3, 4])
    assert torch.equal(train.inputs, test.inputs)


def test_missing_files_of_mnist_are_named(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(IMAGES)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(LABELS)
    lacking = "lacks train-labels-idx1-ubyte, t10k-images-idx3-ubyte$"
    with pytest.raises(
        DataError,
        match=f"{re.escape(str(tmp_path))} must hold train-images-idx3-ubyte, .*{lacking}",
    ):
        read_mnist(tmp_path)
    with pytest.raises(DataError, match="absent must hold train-images-idx3-ubyte"):
        read_mnist(tmp_path / "absent")
