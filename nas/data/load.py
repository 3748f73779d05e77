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
from nas.data.csv_file import read_csv
from nas.data.files import PIXELS
from nas.data.folder import first_image_shape
from nas.data.npz import array_names, raw_kind, read_signals
from nas.data.standardized import standardized
from nas.data.standardized_targets import standardized_targets
from nas.preprocessing import Preprocessing
from nas.quality import TaskKind


def load_task(data: str, rng: np.random.Generator, kind: TaskKind = "classification") -> Task:
    """The task of "digits", a folder, a CSV file, or an .npz archive with `inputs` and `labels`.

    A folder holds the files of MNIST or a similar data set, the binary version of CIFAR-10, or a
    subfolder of images for each class, or such folders in `train` and `test`. Images get the size
    of the first one. An archive and a folder without test data are split 60 : 20 : 20 by `rng`, and
    otherwise a tenth of the training data is held out for validation.

    CSV files, and archives with `signals` [N, C, T] instead of inputs, are standardized by their
    training samples; see `read_csv` and `standardized`.

    Folders of images and CSV files give the names of the classes. All but archives of floats give the
    preprocessing. Only CSV files and archives with inputs have another `kind` of task: "binary", if
    there are two classes, or "regression", whose targets are standardized by those of the training
    samples.

    Raises:
        DataError: if the data is missing or damaged.
        ValueError: if it does not make a `Task`.
    """
    if kind != "classification":
        return _of_kind(Path(data), rng, kind)
    if data == "digits":
        return digits(rng)
    path = Path(data)
    if path.suffix == ".csv":
        values, labels, names = read_csv(path)
        return standardized(path.name, values, labels, names, rng)
    if path.suffix == ".npz" and "signals" in array_names(path):
        signals, labels = read_signals(path, "signals", "labels")
        raw = raw_kind(path, "signals")
        return standardized(path.name, signals, labels, None, rng, raw=raw)
    if path.suffix == ".npz":
        samples = read_npz(path, "inputs", "labels")
        return _undivided(path, samples, rng, _pixels(path))
    if (path / "test_batch.bin").exists():
        return _divided(path, *read_cifar10(path), rng)
    if has_images(path):
        train = path / "train" if is_divided(path) else path
        channels, height, width = first_image_shape(train)
        images, classes = read_images(train, (height, width), channels)
        if train == path:
            return _undivided(path, images, rng, PIXELS, classes)
        test, found = read_images(path / "test", (height, width), channels)
        if found != classes:
            raise DataError(
                f"{path / 'test'} must hold the classes of training, {classes}, but holds {found}"
            )
        return _divided(path, images, test, rng, classes)
    return _divided(path, *read_mnist(path), rng)


def _of_kind(path: Path, rng: np.random.Generator, kind: TaskKind) -> Task:
    if path.suffix == ".csv":
        values, labels, names = read_csv(path, kind)
        task = standardized(path.name, values, labels, names or None, rng, kind)
    elif path.suffix == ".npz":
        samples = read_npz(path, "inputs", "labels", kind)
        classes = 2 if kind == "binary" else 0
        task = split(path.name, samples, classes, rng, kind=kind, preprocessing=_pixels(path))
    else:
        raise DataError(f"{path} must be a CSV file or an .npz archive to make a {kind}")
    return standardized_targets(task)[0] if kind == "regression" else task


def _pixels(path: Path) -> Preprocessing | None:
    """How the inputs of an archive were scaled; None if they are floats."""
    return PIXELS if raw_kind(path, "inputs") == "uint8" else None


def _undivided(
    path: Path,
    data: Split,
    rng: np.random.Generator,
    preprocessing: Preprocessing | None,
    names: tuple[str, ...] | None = None,
) -> Task:
    classes = int(data.labels.max()) + 1
    return split(path.name, data, classes, rng, class_names=names, preprocessing=preprocessing)


def _divided(
    path: Path,
    train: Split,
    test: Split,
    rng: np.random.Generator,
    names: tuple[str, ...] | None = None,
) -> Task:
    classes = int(train.labels.max()) + 1
    return hold_out(path.name, train, test, classes, rng, class_names=names, preprocessing=PIXELS)


def has_images(path: Path) -> bool:
    """Whether a folder holds folders of images."""
    return path.is_dir() and any(entry.is_dir() for entry in path.iterdir())


def is_divided(path: Path) -> bool:
    """Whether a folder has training and test images apart."""
    return (path / "train").is_dir() and (path / "test").is_dir()
