"""The files of a run directory besides its journal: weights, packed files and test accuracies."""

import json
from collections.abc import Sequence
from pathlib import Path

from nas import durable

TEST_FILE = "test.json"
CLASSES_FILE = "classes.json"
WEIGHTS_FOLDER, PACKED_FOLDER = "weights", "packed"
RETRAINED_FOLDER = "retrained"
"""A folder like a run directory, with the weights and packed files of candidates trained again."""
FINAL_FOLDER = "final"
"""The same of the final network, the one to ship."""


class RunDirectoryError(ValueError):
    """A run directory that cannot be used; the message has its path and the reason."""


def weights_path(out: Path, id: int) -> Path:
    """The file of the trained weights of candidate `id`."""
    return out / WEIGHTS_FOLDER / f"{id:05d}.npz"


def packed_path(out: Path, id: int) -> Path:
    """The packed file of candidate `id`."""
    return out / PACKED_FOLDER / f"{id:05d}.nas"


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
    try:
        stored = json.loads((out / CLASSES_FILE).read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        stored = None
    if not isinstance(stored, list) or not all(isinstance(name, str) for name in stored):
        raise RunDirectoryError(
            f"{out / CLASSES_FILE} must hold the names of the classes, but is damaged: resume the run to write it again"
        )
    return tuple(stored)


def write_test_accuracy(out: Path, id: int, accuracy: float) -> None:
    """Stores the test accuracy of candidate `id`, the best of the run."""
    durable.write(out / TEST_FILE, json.dumps({"id": id, "accuracy": accuracy}).encode())


def read_test_accuracy(out: Path) -> tuple[int, float] | None:
    """The id of the candidate that was scored on test data, and its accuracy; None if none was.

    Raises:
        RunDirectoryError: if the file is damaged.
    """
    try:
        stored = json.loads((out / TEST_FILE).read_bytes())
        return int(stored["id"]), float(stored["accuracy"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise RunDirectoryError(
            f"{out / TEST_FILE} must hold an id and an accuracy, but is damaged: remove it"
        ) from error
