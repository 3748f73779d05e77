from pathlib import Path

import pytest
import torch
from torch import nn

from nas.data import Split, Task
from nas.runs.directory import RunDirectoryError
from nas.runs.teacher_score import TEACHER_FILE, read_teacher, write_teacher


def test_a_teacher_is_measured_once(tmp_path: Path) -> None:
    assert read_teacher(tmp_path) == {}
    teacher = nn.Linear(2, 2, bias=False)
    nn.init.eye_(teacher.weight)
    inputs = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    train = Split(inputs, torch.tensor([0, 1, 1, 1]))
    task = _task(train, Split(inputs, torch.zeros(4).long()))
    write_teacher(tmp_path, teacher, task)
    assert read_teacher(tmp_path) == {"accuracy": 0.25, "params": 4, "float_bytes": 16}
    nn.init.zeros_(teacher.weight)
    write_teacher(tmp_path, teacher, task)
    assert read_teacher(tmp_path)["accuracy"] == 0.25


def test_a_teacher_of_targets_has_their_metric(tmp_path: Path) -> None:
    split = Split(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([1.0, 2.0, 3.0]))
    teacher = nn.Linear(1, 1, bias=False)
    nn.init.ones_(teacher.weight)
    write_teacher(
        tmp_path,
        teacher,
        Task(name="t", train=split, validation=split, test=split, kind="regression"),
    )
    assert read_teacher(tmp_path) == {"r2": 1.0, "params": 1, "float_bytes": 4}


def _task(train: Split, validation: Split) -> Task:
    return Task(name="t", train=train, validation=validation, test=train, classes=2)


@pytest.mark.parametrize("damaged", ["", "[]", '{"accuracy": null}'])
def test_a_damaged_file_is_refused(tmp_path: Path, damaged: str) -> None:
    (tmp_path / TEACHER_FILE).write_text(damaged)
    with pytest.raises(RunDirectoryError, match=r"but is damaged: remove it"):
        read_teacher(tmp_path)
