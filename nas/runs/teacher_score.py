"""What the network in floats that teaches the candidates reaches, to compare them with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas import durable
from nas.quality import KINDS
from nas.runs.directory import read_stored

# Reports read it without torch.
if TYPE_CHECKING:
    from torch import nn

    from nas.data import Task

TEACHER_FILE = "teacher.json"


def write_teacher(out: Path, teacher: "nn.Module", task: "Task") -> None:
    """Stores the accuracy of a teacher on validation samples, or the metric that a curve of this kind of
    task has, its parameters and their bytes as 32-bit floats in the run directory `out`, once: a run
    keeps its teacher.

    Raises:
        OSError: if the file cannot be written.
    """
    from nas.training.fit import measured

    path = out / TEACHER_FILE
    if path.exists():
        return
    params = sum(each.numel() for each in teacher.parameters())
    score = KINDS[task.kind].score
    facts = {
        score: measured(teacher, task.validation, score),
        "params": params,
        "float_bytes": 4 * params,
    }
    durable.write(path, json.dumps(facts).encode())


def read_teacher(out: Path) -> Mapping[str, float]:
    """What `write_teacher` stored; empty where there was no teacher.

    Raises:
        RunDirectoryError: if the file is damaged.
    """

    def facts(stored: Any) -> dict[str, float]:
        return {str(name): float(value) for name, value in stored.items()}

    return read_stored(out / TEACHER_FILE, "the accuracy of a teacher", facts) or {}
