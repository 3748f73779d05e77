"""The files of a run directory besides its journal: weights, packed files and test scores."""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nas import durable
from nas.preprocessing import Preprocessing, from_json
from nas.regular_file import read_regular

TEST_FILE = "test.json"
CLASSES_FILE = "classes.json"
PREPROCESSING_FILE = "preprocessing.json"
WEIGHTS_FOLDER, PACKED_FOLDER = "weights", "packed"
RETRAINED_FOLDER = "retrained"
"""A folder like a run directory, with the weights and packed files of candidates trained again."""
FINAL_FOLDER = "final"
"""The same of the final network, the one to ship."""

MOST_BYTES = 2**24
"""The longest file of names or of a test score that is read."""


WRITTEN_AGAIN = "resume the run to write it again"

Content = TypeVar("Content")


class RunDirectoryError(ValueError):
    """A run directory that cannot be used; the message has its path and the reason."""


def read_stored(
    path: Path, holds: str, made: Callable[[Any], Content], remedy: str = "remove it"
) -> Content | None:
    """What is `made` of the JSON in a file of a run directory; None if there is no such file.

    `holds` says what it must hold and `remedy` what to do if it does not, for messages.

    Raises:
        RunDirectoryError: if the file is damaged, or too long, or nothing can be made of it.
    """
    try:
        return made(json.loads(read_regular(path, MOST_BYTES)))
    except FileNotFoundError:
        return None
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise RunDirectoryError(f"{path} must hold {holds}, but is damaged: {remedy}") from error


def check_folders(out: Path) -> None:
    """Checks that the folders in a run directory are no links, by which files elsewhere would be read
    and replaced.

    Raises:
        RunDirectoryError: if one is.
    """
    within = out / RETRAINED_FOLDER, out / FINAL_FOLDER
    parts = (run / part for run in (out, *within) for part in (WEIGHTS_FOLDER, PACKED_FOLDER))
    for folder in (*within, *parts):
        if folder.is_symlink():
            raise RunDirectoryError(f"{folder} must be a folder of the run, but is a link")


def weights_path(out: Path, id: int) -> Path:
    """The file of the trained weights of candidate `id`."""
    return out / WEIGHTS_FOLDER / f"{id:05d}.npz"


def packed_path(out: Path, id: int) -> Path:
    """The packed file of candidate `id`."""
    return out / PACKED_FOLDER / f"{id:05d}.nas"


def make_folders(out: Path) -> None:
    """Makes the folders of weights and packed files in `out`, on disk before any file in them.

    Raises:
        OSError: if they cannot be made.
    """
    for part in (WEIGHTS_FOLDER, PACKED_FOLDER):
        (out / part).mkdir(parents=True, exist_ok=True)
    durable.sync_folder(out)
    durable.sync_folder(out.parent)


def write_class_names(out: Path, names: Sequence[str]) -> None:
    """Stores the names of the classes, in the order of their labels.

    They are not in the packed files, whose length is what a search is held to.
    """
    durable.write(out / CLASSES_FILE, json.dumps(list(names)).encode())


def read_class_names(out: Path) -> tuple[str, ...] | None:
    """The names of the classes; None if the task of the run had none.

    Raises:
        RunDirectoryError: if the file is damaged.
    """
    return read_stored(out / CLASSES_FILE, "the names of the classes", _names, WRITTEN_AGAIN)


def _names(stored: Any) -> tuple[str, ...]:
    if not isinstance(stored, list) or not all(isinstance(name, str) for name in stored):
        raise TypeError("names must be a list of texts")
    return tuple(stored)


def write_preprocessing(out: Path, preprocessing: Preprocessing) -> None:
    """Stores how raw values became the inputs of the task, which packed files need not hold."""
    durable.write(out / PREPROCESSING_FILE, preprocessing.to_json().encode())


def read_preprocessing(out: Path) -> Preprocessing | None:
    """The preprocessing of the run's task; None if it had none.

    Raises:
        RunDirectoryError: if the file is damaged.
    """
    path = out / PREPROCESSING_FILE
    try:
        return from_json(read_regular(path, MOST_BYTES))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise RunDirectoryError(
            f"{path} must hold the preprocessing, but {error}: {WRITTEN_AGAIN}"
        ) from error


def write_test_score(out: Path, id: int, score: float, quality: str = "accuracy") -> None:
    """Stores what candidate `id`, the best of the run, is worth on test data by the metric `quality`."""
    content = {"id": id, quality: score}
    durable.write(out / TEST_FILE, json.dumps({**content, "crc": _checksum(content)}).encode())


def read_test_score(out: Path, quality: str = "accuracy") -> tuple[int, float] | None:
    """The id of the candidate that was scored on test data, and what it is worth by the metric `quality`
    of the run; None if none was.

    Raises:
        RunDirectoryError: if the file is damaged.
    """

    def scored(stored: Any) -> tuple[int, float]:
        id, score = int(stored["id"]), float(stored[quality])
        checksum = _checksum({"id": id, quality: score})
        if stored.get("crc", checksum) != checksum:  # those of before have none
            raise ValueError("the checksum does not match")
        return id, score

    return read_stored(out / TEST_FILE, f"an id and the test {quality}", scored)


def _checksum(content: Mapping[str, float]) -> str:
    return f"{zlib.crc32(json.dumps(content).encode()):08x}"
