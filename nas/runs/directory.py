"""The files of a run directory besides its journal: weights, packed files and test accuracies."""

import json
from pathlib import Path

from nas import durable

TEST_FILE = "test.json"
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
