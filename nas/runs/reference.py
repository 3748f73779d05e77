"""What the network in floats reaches that teaches the candidates, to compare them with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nas import durable
from nas.quality import KINDS
from nas.regular_file import read_regular
from nas.runs.directory import MOST_BYTES, RunDirectoryError

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
    path = out / TEACHER_FILE
    try:
        stored = json.loads(read_regular(path, MOST_BYTES))
        return {str(name): float(value) for name, value in stored.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise RunDirectoryError(
            f"{path} must hold the accuracy of a teacher, but is damaged: remove it"
        ) from error
