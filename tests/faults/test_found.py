"""73 to 76: what was found by trying, and is not tested for beside its code."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nas.objective import Curve, Status
from nas.runs.directory import RunDirectoryError, read_test_score, write_test_score
from nas.runs.journal import read_journal
from nas.runs.run import SearchStoppedError, run
from nas.space import Choice, Choices, Design
from nas.training.distil import Teacher
from tests.nas.runs.experiments import Make


class Exploding(nn.Module):
    """A teacher whose logits overflow once it is trained."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(features, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.layer(inputs.flatten(1))
        return logits * torch.inf if self.training else logits


def exploding(example: Tensor, classes: int) -> nn.Module:
    return Exploding(example[0].numel(), classes)


def unset(example: Tensor, classes: int) -> nn.Module:
    model = exploding(example, classes)
    nn.init.constant_(model.get_parameter("layer.weight"), torch.nan)
    return model


@pytest.mark.fault(73)
def test_a_teacher_that_diverges_stops_the_run_with_one_line(tiny: Make, tmp_path: Path) -> None:
    with pytest.raises(
        RuntimeError, match="the teacher must be trained first, but the training loss"
    ):
        run(tiny(teacher=Teacher(build=exploding, epochs=1)), tmp_path / "a")
    with pytest.raises(ValueError, match="a teacher must give finite logits"):
        run(tiny(teacher=Teacher(build=unset, epochs=0)), tmp_path / "b")
    assert not read_journal(tmp_path / "a")[1]


@dataclass(frozen=True)
class AtOnce:
    """Stops every candidate before it has begun."""

    def __call__(self, reached: Curve, earlier: Sequence[Curve]) -> bool:
        return True


@pytest.mark.fault(74)
def test_a_rule_may_stop_before_the_first_epoch(tiny: Make, tmp_path: Path) -> None:
    assert len(run(tiny(stop=AtOnce(), trials=2), tmp_path).evaluations) == 2
    found = run(tiny(stop=AtOnce(), trials=4), tmp_path)
    assert {(each.status, each.history) for each in found.evaluations} == {(Status.STOPPED, ())}
    assert found.best is None


@pytest.mark.fault(75)
def test_a_changed_digit_of_the_test_accuracy_is_seen(tmp_path: Path) -> None:
    write_test_score(tmp_path, 3, 0.875)
    path = tmp_path / "test.json"
    path.write_bytes(path.read_bytes().replace(b"875", b"975"))
    with pytest.raises(
        RunDirectoryError, match=r"test\.json must hold .* but is damaged: remove it"
    ):
        read_test_score(tmp_path)
    path.write_text(json.dumps({"id": 3, "accuracy": 0.5}))  # as runs of before wrote it
    assert read_test_score(tmp_path) == (3, 0.5)


class Unready:
    """A space that builds nothing until it is ready."""

    choices = Choices(
        [Choice("head", "bits", (*range(2, 9),)), Choice("", "padding", (*range(9),))]
    )
    ready = False

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        if not Unready.ready and design.integer("padding") >= 0:
            raise FileNotFoundError("the disk with the pretrained weights is not there")
        model = nn.Sequential(nn.Flatten())
        model.add_module("head", nn.Linear(example[0].numel(), classes))
        return model


@pytest.mark.fault(76)
def test_ten_failures_in_a_row_are_resumed_when_their_cause_is_gone(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = tiny(space=Unready(), trials=12)
    monkeypatch.setattr("nas.runs.counting_worker.CountingWorker.check_kinds", lambda _: None)
    with pytest.raises(SearchStoppedError, match="the last 10 candidates failed: 10 times FileNot"):
        run(experiment, tmp_path)
    monkeypatch.setattr(Unready, "ready", True)
    statuses = [each.status for each in run(experiment, tmp_path).evaluations]
    assert statuses == [Status.FAILED] * 10 + [Status.OK] * 2
