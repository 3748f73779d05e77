"""Data sets by name or path, for the command line."""

from pathlib import Path

import numpy as np

from nas.data import (
    DataError,
    Split,
    Task,
    digits,
    hold_out,
    read_cifar10,
    read_images,
    read_mnist,
    read_npz,
    split,
)
from nas.data.folder import first_image_shape
from nas.seeds import generator


def load_task(data: str, rng: np.random.Generator) -> Task:
    """The task of "digits", a folder, or an .npz archive with `inputs` and `labels`.

    A folder holds the files of MNIST or a similar data set, the binary version of CIFAR-10, or a
    subfolder of images for each class, or such folders in `train` and `test`. Images get the size
    of the first one. An archive and a folder without test data are split 60 : 20 : 20 by `rng`, and
    otherwise a tenth of the training data is held out for validation.

    Raises:
        DataError: if the data is missing or damaged.
        ValueError: if it does not make a `Task`.
    """
    if data == "digits":
        return digits(rng)
    path = Path(data)
    if path.suffix == ".npz":
        return _undivided(path, read_npz(path, "inputs", "labels"), rng)
    if (path / "test_batch.bin").exists():
        return _divided(path, *read_cifar10(path), rng)
    if _has_images(path):
        train = path / "train" if _is_divided(path) else path
        channels, height, width = first_image_shape(train)
        images, classes = read_images(train, (height, width), channels)
        if train == path:
            return _undivided(path, images, rng)
        test, found = read_images(path / "test", (height, width), channels)
        if found != classes:
            raise DataError(
                f"{path / 'test'} must hold the classes of training, {classes}, but holds {found}"
            )
        return _divided(path, images, test, rng)
    return _divided(path, *read_mnist(path), rng)


def _undivided(path: Path, data: Split, rng: np.random.Generator) -> Task:
    return split(path.name, data, int(data.labels.max()) + 1, rng)


def _divided(path: Path, train: Split, test: Split, rng: np.random.Generator) -> Task:
    return hold_out(path.name, train, test, int(train.labels.max()) + 1, rng)


def _has_images(path: Path) -> bool:
    return path.is_dir() and any(entry.is_dir() for entry in path.iterdir())


def _is_divided(path: Path) -> bool:
    return (path / "train").is_dir() and (path / "test").is_dir()


def load_test_split(data: str, shape: tuple[int, ...]) -> Split:
    """The test split of "digits", a folder, or an .npz archive with `inputs` and `labels`.

    A folder holds the files of MNIST or a similar data set, the binary version of CIFAR-10, or a
    subfolder of images for each class, perhaps in `test`; these are resized to `shape`, the shape
    of an input.

    Raises:
        DataError: if the data is missing or damaged.
    """
    if data == "digits":
        return digits(generator(0, "digits")).test
    path = Path(data)
    if path.suffix == ".npz":
        return read_npz(path, "inputs", "labels")
    if (path / "test_batch.bin").exists():
        return read_cifar10(path)[1]
    if len(shape) == 3 and _has_images(path):
        folder = path / "test" if _is_divided(path) else path
        return read_images(folder, (shape[1], shape[2]), shape[0])[0]
    return read_mnist(path)[1]
