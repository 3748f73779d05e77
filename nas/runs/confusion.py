"""What the network of a run is worth on its test data, and which classes it takes for which."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas import durable
from nas.quality import QUALITIES, TaskKind, taken_for
from nas.runs.directory import read_stored, write_test_score

# Reports read it without torch.
if TYPE_CHECKING:
    from nas.data import Split
    from nas.program import Program
    from nas.program.rounding import Rounding

CONFUSION_FILE = "confusion.json"
MOST_CLASSES = 100
"""Of more classes, the counts are not stored: a page could not show them."""

Counts = Sequence[Sequence[int]]
"""Samples by their class, then by the class that they were taken for."""


def score_test(
    program: "Program",
    test: "Split",
    folder: Path,
    id: int,
    rounding: "Rounding" = "single",
    kind: TaskKind = "classification",
    quality: str = "accuracy",
) -> float:
    """The metric `quality` of the file of candidate `id` on the test samples of a task of this kind under
    a rule of rounding, which is stored in `folder`, with the counts of confusions where there are classes.

    Raises:
        OSError: if a file cannot be written.
    """
    import numpy as np

    from nas.program import logits

    labels = test.labels.cpu().numpy()
    outputs = logits(program, test.inputs, rounding=rounding)
    classes = max(2, program.tensors[-1].size)
    if kind != "regression" and classes <= MOST_CLASSES:
        counts = np.zeros((classes, classes), np.int64)
        np.add.at(counts, (labels, taken_for(outputs)), 1)
        content = {"id": id, "counts": counts.tolist()}
        durable.write(folder / CONFUSION_FILE, json.dumps(content).encode())
    score = QUALITIES[quality].measured(outputs.astype(np.float64), labels)
    write_test_score(folder, id, score, quality)
    return score


def read_confusion(folder: Path, id: int) -> Counts | None:
    """The counts for the file of candidate `id`; None if they were not stored.

    Raises:
        RunDirectoryError: if the file is damaged.
    """

    def of_a_file(stored: Any) -> tuple[int, Counts]:
        counts = [[int(count) for count in row] for row in stored["counts"]]
        if any(len(row) != len(counts) or min(row) < 0 for row in counts):
            raise ValueError("there must be a count for every pair of classes")
        return int(stored["id"]), counts

    holds = "an id and counts of every pair of classes"
    of, counts = read_stored(folder / CONFUSION_FILE, holds, of_a_file) or (None, None)
    return counts if of == id else None
