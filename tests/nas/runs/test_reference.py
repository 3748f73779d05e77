from pathlib import Path

import pytest
import torch
from torch import nn

from nas.data import Split
from nas.runs.directory import RunDirectoryError
from nas.runs.reference import TEACHER_FILE, read_teacher, write_teacher


def test_a_teacher_is_measured_once(tmp_path: Path) -> None:
    assert read_teacher(tmp_path) == {}
    teacher = nn.Linear(2, 2, bias=False)
    nn.init.eye_(teacher.weight)
    split = Split(
        torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]), torch.zeros(4).long()
    )
    write_teacher(tmp_path, teacher, split)
    assert read_teacher(tmp_path) == {"accuracy": 0.25, "params": 4, "float_bytes": 16}
    nn.init.zeros_(teacher.weight)
    write_teacher(tmp_path, teacher, split)
    assert read_teacher(tmp_path)["accuracy"] == 0.25


@pytest.mark.parametrize("damaged", ["", "[]", '{"accuracy": null}'])
def test_a_damaged_file_is_refused(tmp_path: Path, damaged: str) -> None:
    (tmp_path / TEACHER_FILE).write_text(damaged)
    with pytest.raises(RunDirectoryError, match=r"but is damaged: remove it"):
        read_teacher(tmp_path)
