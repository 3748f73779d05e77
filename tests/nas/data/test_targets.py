from pathlib import Path

import numpy as np
import pytest
import torch

from nas.data import DataError, Split, Task, split, standardized_targets, stratified
from nas.data.load import load_task
from nas.data.scored import held_out, load_scored
from nas.seeds import generator

INPUTS = torch.arange(100.0)[:, None]


def line(targets: torch.Tensor, **changed: object) -> Task:
    data = Split(INPUTS, targets)
    return split("line", data, 0, generator(0, "split"), kind="regression", **changed)  # type: ignore[arg-type]


def test_targets_are_split_over_their_whole_range() -> None:
    task = line(torch.arange(100.0))
    assert (task.outputs, len(task.train.labels), len(task.test.labels)) == (1, 60, 20)
    for part in (task.train, task.validation, task.test):
        assert (part.inputs[:, 0] == part.labels).all()
        assert part.labels.min() < 15
        assert part.labels.max() > 85
    other = split("line", Split(INPUTS, INPUTS[:, 0]), 0, generator(1, "split"), kind="regression")
    assert other.digest != task.digest


def test_several_targets_are_several_outputs() -> None:
    task = line(torch.stack([torch.arange(100.0), torch.ones(100)], 1))
    assert task.outputs == 2
    found, mean, deviation = standardized_targets(task)
    assert torch.allclose(found.train.labels.mean(0), torch.zeros(2), atol=1e-5)
    assert found.train.labels.std(0, correction=0)[0].item() == pytest.approx(1.0)
    assert deviation[1] == 1.0  # the same in all samples
    assert torch.allclose(found.test.labels * deviation + mean, task.test.labels, atol=1e-4)


def test_few_samples_of_a_regression_are_drawn_at_random() -> None:
    task = line(torch.arange(100.0))
    few = stratified(task.train, 10, generator(0, "few"))
    assert len(few.labels) == 10
    assert (few.inputs[:, 0] == few.labels).all()


@pytest.mark.parametrize(
    ("labels", "changed", "message"),
    [
        (torch.arange(4), {}, "labels of the training split of 'bad' must be torch.float32"),
        (torch.tensor([0.0, float("nan"), 1, 2]), {}, "must be finite, but sample 1 holds nan"),
        (torch.ones(4), {}, "at least 2 targets, but holds only target 1.0"),
        (torch.ones(4, 1, 1), {}, r"shape \[N\] or \[N, K\]"),
        (torch.arange(4.0), {"classes": 4}, "must have 0 classes, but got 4"),
        (torch.arange(4) % 2, {"kind": "binary"}, "must have 2 classes, but got 0"),
        (torch.arange(4) % 3, {"kind": "binary", "classes": 2}, "must lie in 0 … 1"),
        (torch.arange(4.0), {"kind": "ranking"}, "the kind of a task must be one of"),
    ],
)
def test_bad_targets_are_refused(
    labels: torch.Tensor, changed: dict[str, object], message: str
) -> None:
    part = Split(torch.zeros(4, 2), labels)
    arguments = {"kind": "regression", **changed}
    with pytest.raises(ValueError, match=message):
        Task(name="bad", train=part, validation=part, test=part, **arguments)  # type: ignore[arg-type]


def test_classes_cannot_be_standardized() -> None:
    part = Split(torch.zeros(4, 2), torch.arange(4))
    task = Task(name="classes", train=part, validation=part, test=part, classes=4)
    with pytest.raises(ValueError, match="must be a regression"):
        standardized_targets(task)


def test_a_table_is_a_regression_where_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "line.csv"
    path.write_text("x,y\n" + "".join(f"{n},{2 * n + 0.5}\n" for n in range(50)))
    with pytest.raises(DataError, match=r"column 'y' .* are they the targets of a regression"):
        load_task(str(path), generator(0, "data"))
    task = load_task(str(path), generator(0, "data"), "regression")
    assert (task.kind, task.outputs, task.class_names) == ("regression", 1, None)
    assert task.train.labels.mean().abs() < 1e-5
    assert held_out(str(path), task.digest, "regression") is not None
    with pytest.raises(DataError, match=r"must be a CSV file or an \.npz archive to make a regr"):
        load_task("digits", generator(0, "data"), "regression")


def test_archives_hold_targets(tmp_path: Path) -> None:
    path = tmp_path / "targets.npz"
    inputs = np.random.default_rng(0).random((50, 3))
    np.savez(path, inputs=inputs, labels=10.0 * inputs[:, :2])
    task = load_task(str(path), generator(0, "data"), "regression")
    assert (task.kind, task.outputs) == ("regression", 2)
    scored = load_scored(str(path), (3,), 2, kind="regression").split
    assert torch.allclose(scored.labels, 10.0 * scored.inputs[:, :2])
    np.savez(path, inputs=inputs, labels=inputs[:, :, None])
    with pytest.raises(DataError, match=r"must be numbers \[N\] or \[N, K\], one for each of 50"):
        load_task(str(path), generator(0, "data"), "regression")
    with pytest.raises(DataError, match=r"must be integers \[N\]"):
        load_task(str(path), generator(0, "data"))
