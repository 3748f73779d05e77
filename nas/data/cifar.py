"""The binary versions of CIFAR-10 and CIFAR-100."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nas.data.files import DataError, check_size, reading, scaled
from nas.data.task import Split

# A record is a byte for the label, or in CIFAR-100 one for that of the superclass and one for the label, then the
# red, green and blue planes, row by row.
_IMAGE_SHAPE = (3, 32, 32)
_IMAGE_BYTES = 3 * 32 * 32

_TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]
_TEST = ["test_batch.bin"]


def read_cifar10(folder: Path) -> tuple[Split, Split]:
    """The training and test images of the folder cifar-10-batches-bin, [N, 3, 32, 32] in [0, 1].

    Raises:
        DataError: if a file is missing or is not a whole number of records, or the folder holds the
            Python version.
    """
    names = _TRAIN + _TEST
    if missing := [name for name in names if not (folder / name).is_file()]:
        if (folder / "data_batch_1").exists():
            raise DataError(
                f"{folder} must hold the binary version of CIFAR-10 (cifar-10-binary.tar.gz), but holds the python version, "
                "whose files are pickles: opening a pickle can run any code that it names"
            )
        raise DataError(f"{folder} must hold {', '.join(names)}, but lacks {', '.join(missing)}")
    return _split(folder, _TRAIN), _split(folder, _TEST)


def read_cifar100(folder: Path) -> tuple[Split, Split]:
    """The training and test images of the folder cifar-100-binary, [N, 3, 32, 32] in [0, 1], with their
    fine labels.

    Raises:
        DataError: if a file is missing or is not a whole number of records.
    """
    train, test = (_split(folder, [name], labels=2) for name in ("train.bin", "test.bin"))
    return train, test


def _split(folder: Path, names: list[str], labels: int = 1) -> Split:
    """The images of some files, whose records have so many labels, of which the last one counts."""
    records = np.concatenate([_records(folder / name, labels + _IMAGE_BYTES) for name in names])
    return Split(
        scaled(records[:, labels:].reshape(-1, *_IMAGE_SHAPE)),
        torch.from_numpy(records[:, labels - 1].astype(np.int64)),
    )


def _records(path: Path, record_bytes: int) -> NDArray[np.uint8]:
    with reading(path, "a batch of CIFAR"):
        size = path.stat().st_size
        if size == 0 or size % record_bytes:
            raise DataError(
                f"{path} must be records of {record_bytes} bytes each, but holds {size} bytes"
            )
        check_size(path, (size,))
        return np.fromfile(path, np.uint8, count=size).reshape(-1, record_bytes)
