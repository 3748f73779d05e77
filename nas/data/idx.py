"""IDX files, the format of MNIST and similar data sets."""

import gzip
import math
import struct
from io import BufferedIOBase
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nas.data.files import DataError, check_size, reading, scaled
from nas.data.task import Split

_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTES = 8
_CHUNK_BYTES = 1 << 20


def read_idx(images: Path, labels: Path) -> Split:
    """Gray images, [N, 1, H, W] in [0, 1], and their labels, from two IDX files of unsigned bytes,
    each plain or compressed by gzip.

    Raises:
        DataError: if a file is damaged, too large, or shorter or longer than its header says, or
            their counts differ.
    """
    pixels, classes = _read(images, 3), _read(labels, 1)
    if len(pixels) != len(classes):
        raise DataError(
            f"{images} must hold as many images as {labels} has labels, but got {len(pixels)} and {len(classes)}"
        )
    return Split(scaled(pixels[:, None]), torch.from_numpy(classes.astype(np.int64)))


def read_mnist(folder: Path) -> tuple[Split, Split]:
    """The training and test images of a folder with the four files of MNIST, Fashion-MNIST or
    KMNIST.

    Raises:
        DataError: if a file is missing, or `read_idx` cannot read it.
    """
    names = [
        f"{part}-{kind}-ubyte"
        for part in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    ]
    found = {name: path for name in names if (path := _find(folder, name))}
    if missing := [name for name in names if name not in found]:
        raise DataError(
            f"{folder} must hold {', '.join(names)}, with or without .gz, but lacks {', '.join(missing)}"
        )
    train_images, train_labels, test_images, test_labels = found.values()
    return read_idx(train_images, train_labels), read_idx(test_images, test_labels)


def _find(folder: Path, name: str) -> Path | None:
    # Some distributions spell it train-images.idx3-ubyte.
    spellings = (name, name.replace("-idx", ".idx"))
    candidates = (
        folder / f"{spelling}{suffix}" for spelling in spellings for suffix in ("", ".gz")
    )
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    kind = (
        f"an IDX file of unsigned bytes with {dimensions} dimension{'s' if dimensions > 1 else ''}"
    )
    with reading(path, kind), path.open("rb") as raw:
        # By content, because files are often compressed or uncompressed without a new name.
        packed = raw.read(len(_GZIP)) == _GZIP
        raw.seek(0)
        with gzip.open(raw) if packed else raw as file:
            magic, sizes = file.read(4), file.read(4 * dimensions)
            expected = bytes((0, 0, _UNSIGNED_BYTES, dimensions))
            if magic != expected:
                raise DataError(
                    f"{path} must be {kind}, beginning with {expected.hex()}, but begins with {magic.hex() or 'nothing'}"
                )
            if len(sizes) < 4 * dimensions:
                raise DataError(
                    f"{path} must have a header of {4 + 4 * dimensions} bytes, but holds only {4 + len(sizes)}"
                )
            shape = struct.unpack(f">{dimensions}I", sizes)
            check_size(path, shape)
            count = math.prod(shape)
            data = _take(file, count + 1)
    if len(data) != count:
        found = f"only {len(data)}" if len(data) < count else "more"
        raise DataError(
            f"{path} must hold the {count} bytes of its shape {shape} after the header, but holds {found}"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _take(file: BufferedIOBase, count: int) -> bytearray:
    """The next `count` bytes, or fewer at the end.

    They are read in chunks, because the count comes from a header that may be damaged.
    """
    data = bytearray()
    while chunk := file.read(min(_CHUNK_BYTES, count - len(data))):
        data += chunk
    return data
