"""What a finished network is scored on: the test part of data by its name or path."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.data import DataError, Split, digits, read_cifar10, read_images, read_mnist, read_npz
from nas.data.load import has_images, is_divided, load_task
from nas.data.npz import array_names
from nas.quality import TaskKind
from nas.seeds import generator


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
) -> ScoredData:
    """The test samples of "digits", a folder, or all of an .npz archive with `inputs` and `labels`.

    A folder holds the files of MNIST or a similar data set, the binary version of CIFAR-10, or a
    subfolder of images for each class, perhaps in `test`; these are resized to `shape`, the shape
    of an input of a network for so many `classes`. With the `names` of the classes, subfolders may
    be missing and go by their names; without, there must be one for each class, and they are taken
    in the order of their names. With the `kind` "regression", labels of archives are targets, as they
    are.

    Raises:
        DataError: if the data is missing or damaged, or folders do not go with the classes.
    """
    if data == "digits":
        return ScoredData(digits(generator(0, "digits")).test, "the test split of digits")
    path = Path(data)
    if path.suffix == ".csv" or (path.suffix == ".npz" and "signals" in array_names(path)):
        raise DataError(
            f"{path} must be scored with the run that searched on it (--run), because it is standardized by the run's "
            "training samples"
        )
    if path.suffix == ".npz":
        split = read_npz(path, "inputs", "labels", kind)
        return ScoredData(split, _all("samples", path, split))
    if (path / "test_batch.bin").exists():
        return ScoredData(read_cifar10(path)[1], f"the test images of {path}")
    if has_images(path):
        return _images(path, shape, classes, names)
    return ScoredData(read_mnist(path)[1], f"the test images of {path}")


def held_out(data: str, digest: str, kind: TaskKind = "classification") -> ScoredData | None:
    """The test split that a search with a task of this `digest` and `kind` held out of a folder, table or
    archive without test data, as `load_task` splits it for the experiments that ship; None if it was
    another task or another split.
    """
    path = Path(data)
    if not (path.suffix in (".csv", ".npz") or (has_images(path) and not is_divided(path))):
        return None
    try:
        task = load_task(data, generator(0, "data"), kind)
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
