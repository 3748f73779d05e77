"""What a page tells of test data."""

import json
from pathlib import Path

import pytest
import torch

from nas.data import Split
from nas.packed import unpack
from nas.program import score
from nas.report.page import report_page
from nas.report.reported_run import read_runs
from nas.runs.confusion import CONFUSION_FILE, read_confusion, score_test
from nas.runs.directory import RunDirectoryError, read_test_score, write_class_names
from tests.nas.report.runs import HOSTILE, add_file, trial, write


def stored(out: Path) -> tuple[float, Split]:
    program = unpack(add_file(out, 0))
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(40, 1, 5, 5, generator=generator)
    test = Split(images, torch.randint(2, (40,), generator=generator))
    return score_test(program, test, out, 0), test


def test_the_counts_are_those_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, [trial(0)])
    accuracy, test = stored(tmp_path)
    assert accuracy == score(unpack(add_file(tmp_path, 0)), test)
    assert read_test_score(tmp_path) == (0, accuracy)
    counts = read_confusion(tmp_path, 0)
    assert counts is not None
    assert [sum(row) for row in counts] == test.labels.bincount().tolist()
    assert (counts[0][0] + counts[1][1]) / 40 == accuracy
    assert read_confusion(tmp_path, 1) is None, "of another candidate"


def test_classes_are_told_apart_on_the_page(tmp_path: Path) -> None:
    write(tmp_path, [trial(0)])
    (tmp_path / CONFUSION_FILE).write_text(json.dumps({"id": 0, "counts": [[3, 1], [0, 6]]}))
    write_class_names(tmp_path, ["cat", HOSTILE])
    page = report_page(read_runs([tmp_path]))
    assert "9 of 10 samples right" in page
    assert (
        '>cat</th><td class="number">4</td><td class="number">3</td><td class="number">75.0%</td>'
        in page
    )
    assert HOSTILE not in page
    assert '"kind":"confusion"' in page


@pytest.mark.parametrize(
    "content", ["{", '{"id": 0}', '{"id": 0, "counts": [[1, 2]]}', '{"id": 0, "counts": [[-1]]}']
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / CONFUSION_FILE).write_text(content)
    with pytest.raises(RunDirectoryError, match="damaged"):
        read_confusion(tmp_path, 0)
