"""What a finished network is scored on: the test part of data by its name or path."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nas.data.cifar import read_cifar10, read_cifar100
from nas.data.csv_file import read_csv
from nas.data.digits import PREPROCESSING as OF_DIGITS
from nas.data.files import PIXELS, DataError
from nas.data.folder import read_images
from nas.data.idx import read_mnist
from nas.data.load import has_images, is_divided, load_task
from nas.data.npz import array_names, raw_kind, read_division, read_npz, read_signals
from nas.data.task import Split
from nas.data.wav import has_wavs
from nas.preprocessing import Preprocessing
from nas.quality import TaskKind


@dataclass(frozen=True, eq=False)
class ScoredData:
    """Samples to score, and `what` they are: a phrase for people, which says where training samples
    may be among them.
    """

    split: Split
    what: str


def load_scored(
    data: str,
    shape: tuple[int, ...],
    classes: int,
    names: Sequence[str] | None = None,
    kind: TaskKind = "classification",
    preprocessing: Preprocessing | None = None,
) -> ScoredData:
    """The test samples of "digits", a folder, or all of a CSV file or an .npz archive, as `load_task` reads
    them, but of an archive that says which inputs are for the test only those.

    A folder holds the files of MNIST or a similar data set, the binary version of CIFAR-10 or CIFAR-100, or a
    subfolder of images for each class, perhaps in `test`; these are resized to `shape`, the shape
    of an input of a network for so many `classes`. With the `names` of the classes, subfolders may
    be missing and go by their names; without, there must be one for each class, and they are taken
    in the order of their names. Raw values become inputs by the network's `preprocessing`; without, as
    readers scale them, and tables and signals cannot be read. With the `kind` "regression", labels of
    archives are targets, as they are, and those of tables cannot be read.

    Raises:
        DataError: if the data is missing or damaged, or folders do not go with the classes.
    """
    if data == "digits":
        test = load_task(data).test
        return ScoredData(_again(data, test, OF_DIGITS, preprocessing), "the test split of digits")
    path = Path(data)
    if has_wavs(path):
        raise DataError(
            f"{path} must be scored with the run that searched on it (--run), because its features are standardized by "
            "the run's training samples"
        )
    if path.suffix.lower() == ".csv" or (path.suffix == ".npz" and "signals" in array_names(path)):
        return _measurements(path, classes, names, kind, preprocessing)
    if path.suffix == ".npz":
        split = read_npz(path, "inputs", "labels", kind)
        pixels = PIXELS if raw_kind(path, "inputs") == "uint8" else None
        what = _all("samples", path, split)
        named = read_division(path, len(split.labels)).part is not None
        if named and kind != "regression":
            split, what = load_task(data, kind=kind).test, f"the test samples of {path}"
        return ScoredData(_again(data, split, pixels, preprocessing), what)
    for name, read in (("test_batch.bin", read_cifar10), ("test.bin", read_cifar100)):
        if (path / name).exists():
            found = ScoredData(read(path)[1], f"the test images of {path}")
            break
    else:
        found = (
            _images(path, shape, classes, names)
            if has_images(path)
            else ScoredData(read_mnist(path)[1], f"the test images of {path}")
        )
    return replace(found, split=_again(data, found.split, PIXELS, preprocessing))


def _again(
    data: str, split: Split, was: Preprocessing | None, wanted: Preprocessing | None
) -> Split:
    """Samples that a reader scaled by `was`, or read as they are, by the preprocessing that is wanted."""
    if wanted is None or wanted == was:
        return split
    raw = "float32" if was is None else was.raw
    if wanted.raw != raw:
        raise DataError(f"{data} must hold {wanted.raw}, which the network reads, but holds {raw}")
    values = split.inputs.numpy() if was is None else was.undo(split.inputs.numpy())
    return Split(torch.from_numpy(wanted.apply(values)), split.labels)


def _measurements(
    path: Path,
    classes: int,
    names: Sequence[str] | None,
    kind: TaskKind,
    preprocessing: Preprocessing | None,
) -> ScoredData:
    """All of a table or of signals, in units of their own."""
    if kind == "regression":
        raise DataError(
            f"{path} must be what the run searched on, since no file says how targets were standardized, but is other "
            "data: score an archive of inputs and labels that are standardized alike"
        )
    if preprocessing is None:
        raise DataError(
            f"{path} must be scored with the run that searched on it (--run), or a file that says how that standardized "
            "its training samples (nas export --preprocessing)"
        )
    labels: NDArray[np.int64]
    if path.suffix.lower() == ".csv":
        values, given, found = read_csv(path, kind)
        labels = _labels(path, given.astype(np.int64), found, classes, names)
    else:
        values, labels, texts = read_signals(path, "signals", "labels")
        labels = labels if texts is None else _labels(path, labels, texts, classes, names)
    split = Split(torch.from_numpy(preprocessing.apply(values)), torch.from_numpy(labels))
    return ScoredData(split, _all("samples", path, split))


def _labels(
    path: Path,
    labels: NDArray[np.int64],
    found: tuple[str, ...],
    classes: int,
    names: Sequence[str] | None,
) -> NDArray[np.int64]:
    """The classes of the network, where a table may lack some of them if their names are known."""
    if names is None and len(found) != classes:
        raise DataError(
            f"{path} must have the {classes} classes of the network, whose names are not known, but has "
            f"{len(found)}: nas export --class-names writes the names"
        )
    known = tuple(found if names is None else names)
    if strange := [name for name in found if name not in known]:
        raise DataError(f"{path} must have the classes {', '.join(known)}, but has {strange[0]}")
    return np.array([known.index(name) for name in found], np.int64)[labels]


def held_out(data: str, digest: str, kind: TaskKind = "classification") -> ScoredData | None:
    """The test split that a search with a task of this `digest` and `kind` held out of a folder, table or
    archive without test data, as `load_task` splits it for the experiments that ship; None if it was
    another task or another split.
    """
    path = Path(data)
    tables = path.suffix.lower() == ".csv" or path.suffix == ".npz"
    if not (tables or (has_images(path) and not is_divided(path))):
        return None
    try:
        task = load_task(data, kind=kind)
    except ValueError:  # such as data of one class, which no search can have had
        return None
    if task.digest != digest:
        return None
    return ScoredData(task.test, f"the test split of {path}, which the search held out")


def _images(
    path: Path, shape: tuple[int, ...], classes: int, names: Sequence[str] | None
) -> ScoredData:
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise DataError(
            f"{path} must hold samples {shape} as the network reads them, but holds folders of images"
        )
    folder = path / "test" if is_divided(path) else path
    split, found = read_images(folder, (shape[1], shape[2]), shape[0], names)
    if len(found) != classes:
        raise DataError(
            f"{folder} must hold a folder for each of the {classes} classes, whose names are not known, "
            f"but holds {len(found)}, {', '.join(found)}: nas export --class-names writes the names"
        )
    what = _all("images", path, split) if folder == path else f"the images of {folder}"
    return ScoredData(split, what if names else f"{what}, classes in the order of their names")


def _all(kind: str, path: Path, split: Split) -> str:
    return f"all {len(split.labels):,} {kind} of {path}, training {kind} among them if the search had them"
