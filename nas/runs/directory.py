"""What a run directory holds beside its journal: weights, packed files and the test accuracy."""

import json
from pathlib import Path

from nas import durable


class RunDirectoryError(ValueError):
    """A run directory that cannot be used, with its path and the reason."""


TEST_NAME = "test.json"
WEIGHTS, PACKED = "weights", "packed"


def weights_path(out: Path, id: int) -> Path:
    """Where a run keeps the trained weights of candidate `id`."""
    return out / WEIGHTS / f"{id:05d}.npz"


def packed_path(out: Path, id: int) -> Path:
    """Where a run keeps the packed file of candidate `id`."""
    return out / PACKED / f"{id:05d}.nas"


def write_test(out: Path, id: int, accuracy: float) -> None:
    """Records the test accuracy of candidate `id`, the one number that test data gives."""
    durable.write(out / TEST_NAME, json.dumps({"id": id, "accuracy": accuracy}).encode())


def read_test(out: Path) -> tuple[int, float] | None:
    """The candidate that was scored on test data, and its accuracy; None before that."""
    try:
        scored = json.loads((out / TEST_NAME).read_bytes())
        return int(scored["id"]), float(scored["accuracy"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise RunDirectoryError(
            f"{out / TEST_NAME} must hold an id and an accuracy, but is damaged: remove it"
        ) from error
