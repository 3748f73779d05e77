"""Data sets by name or path, for the command line."""

from pathlib import Path

import numpy as np

from nas.data.cifar import read_cifar10, read_cifar100
from nas.data.csv_file import read_divided_csv
from nas.data.digits import digits
from nas.data.division import NONE, PARTS, Division, divided
from nas.data.files import PIXELS, DataError
from nas.data.folder import image_shape, read_images
from nas.data.idx import read_mnist
from nas.data.npz import array_names, raw_kind, read_division, read_named, read_signals
from nas.data.splits import hold_out
from nas.data.standardized import standardized
from nas.data.standardized_targets import standardized_targets
from nas.data.task import Split, Task
from nas.data.wav import has_wavs, read_wavs
from nas.preprocessing import Preprocessing
from nas.quality import TaskKind
from nas.seeds import generator


def load_task(
    data: str, rng: np.random.Generator | None = None, kind: TaskKind = "classification"
) -> Task:
    """The task of "digits", or of a path:

    - a folder with the files of MNIST or a similar data set, or the binary version of CIFAR-10 or
      CIFAR-100;
    - a folder with a subfolder of images for each class, or such folders in `train`, `test` and perhaps
      `validation`; images get the size of the first one, and are gray if all are;
    - a folder with a subfolder of WAV recordings for each class (see `read_wavs`);
    - a CSV file of a table or of signals (see `read_divided_csv`);
    - an .npz archive with `inputs` (see `read_npz`), or `signals` [N, C, T], and `labels`, perhaps with
      `split` and `group`, which divide it as those columns do a CSV file.

    Data that does not say how it is divided is split 60 : 20 : 20 by class; of training data beside
    test data, a tenth is held out for validation (see `divided`). What is drawn is drawn by `rng`
    (None: as the experiments that ship do, always alike), so that a run's test split can be found again.

    Tables and signals are standardized by their training samples (see `standardized`). Folders, and
    labels that are texts, give the names of the classes. Only CSV files and archives with inputs have another
    `kind` of task: "binary", if there are two classes, or "regression", whose targets are standardized by
    those of the training samples. All but archives of floats give the preprocessing.

    Raises:
        DataError: if the data is missing or damaged.
        ValueError: if it does not make a `Task`.
    """
    if rng is None:
        rng = generator(0, "digits" if data == "digits" else "data")
    if kind != "classification":
        return _of_kind(Path(data), rng, kind)
    if data == "digits":
        return digits(rng)
    path = Path(data)
    if path.suffix.lower() == ".csv":
        values, labels, names, division = read_divided_csv(path)
        return standardized(path.name, values, labels, names, rng, division=division)
    if path.suffix == ".npz" and "signals" in array_names(path):
        signals, labels, found = read_signals(path, "signals", "labels")
        division, raw = read_division(path, len(labels)), raw_kind(path, "signals")
        return standardized(path.name, signals, labels, found, rng, raw=raw, division=division)
    if path.suffix == ".npz":
        samples, found = read_named(path, "inputs", "labels")
        division = read_division(path, len(samples.labels))
        return _task(path, samples, rng, found, division, _pixels(path))
    if not path.is_dir():
        raise DataError(
            f"data must be digits, a folder, a CSV file or an .npz archive, but {path} is "
            f"{'another file' if path.exists() else 'missing'}"
        )
    return _of_folder(path, rng)


def _of_kind(path: Path, rng: np.random.Generator, kind: TaskKind) -> Task:
    if path.suffix.lower() == ".csv":
        values, labels, names, division = read_divided_csv(path, kind)
        task = standardized(path.name, values, labels, names or None, rng, kind, division=division)
    elif path.suffix == ".npz":
        samples, found = read_named(path, "inputs", "labels", kind)
        division = read_division(path, len(samples.labels))
        classes = 2 if kind == "binary" else 0
        task = divided(path.name, samples, classes, rng, division, found, kind, _pixels(path))
    else:
        raise DataError(f"{path} must be a CSV file or an .npz archive to make a {kind}")
    return standardized_targets(task)[0] if kind == "regression" else task


def _pixels(path: Path) -> Preprocessing | None:
    """How the inputs of an archive were scaled; None if they are floats."""
    return PIXELS if raw_kind(path, "inputs") == "uint8" else None


def _of_folder(path: Path, rng: np.random.Generator) -> Task:
    if has_wavs(path):
        features, labels, names, division = read_wavs(path)
        return standardized(path.name, features, labels, names, rng, division=division)
    if (path / "test_batch.bin").exists():
        return _with_test(path, *read_cifar10(path), rng)
    if (path / "test.bin").exists():
        return _with_test(path, *read_cifar100(path), rng)
    if has_images(path):
        return _images(path, rng)
    return _with_test(path, *read_mnist(path), rng)


def _images(path: Path, rng: np.random.Generator) -> Task:
    if not is_divided(path):
        channels, height, width = image_shape(path)
        images, classes = read_images(path, (height, width), channels)
        return _task(path, images, rng, classes)
    parts = {PARTS[each.name]: each for each in sorted(path.iterdir()) if each.name in PARTS}
    channels, height, width = image_shape(parts["train"])
    found = {part: read_images(of, (height, width), channels) for part, of in sorted(parts.items())}
    train, classes = found["train"]
    for part, (_, names) in found.items():
        if names != classes:
            raise DataError(
                f"{parts[part]} must hold the classes of training, {classes}, but holds {names}"
            )
    test = found["test"][0]
    if "validation" not in found:
        return _with_test(path, train, test, rng, classes)
    return Task(
        name=path.name,
        train=train,
        validation=found["validation"][0],
        test=test,
        classes=len(classes),
        class_names=classes,
        preprocessing=PIXELS,
    )


def _task(
    path: Path,
    data: Split,
    rng: np.random.Generator,
    names: tuple[str, ...] | None,
    division: Division = NONE,
    preprocessing: Preprocessing | None = PIXELS,
) -> Task:
    classes = int(data.labels.max()) + 1
    return divided(path.name, data, classes, rng, division, names, preprocessing=preprocessing)


def _with_test(
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
