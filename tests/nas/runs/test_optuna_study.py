import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.objective import Budget, Evaluation, Objective, Status
from nas.runs.journal import open_journal
from nas.runs.optuna_study import write_study
from tests.nas.runs.journals import evaluation

optuna = pytest.importorskip("optuna")

OBJECTIVE = Objective(minimize=("size_bytes",), budget=Budget({"size_bytes": 4096.0}))


def ended(id: int, status: Status) -> Evaluation:
    return replace(
        evaluation(id), status=status, metrics={"size_bytes": 9.0}, history=(), reason=f"why {id}"
    )


RUN = [
    replace(evaluation(0), epochs=1.0),
    replace(evaluation(1), epochs=4.0, design={"op": "a", "kernel": [3, 3], "width": 16}),  # type: ignore[dict-item]
    ended(2, Status.FAILED),
    ended(3, Status.OVER_BUDGET),
    ended(4, Status.STOPPED),
    replace(evaluation(5), epochs=4.0),
]


def study_of(out: Path, evaluations: list[Evaluation], objective: Objective = OBJECTIVE) -> Any:
    with open_journal(out, {"objective": objective.to_json()}) as journal:
        for each in evaluations:
            journal.append(each)
    target = out / "study.db"
    assert write_study(out, target) == len(evaluations)
    assert write_study(out, target) == len(evaluations)  # replaces the first
    return optuna.load_study(study_name=out.name, storage=f"sqlite:///{target}")


def test_a_study_has_the_candidates_of_the_run(tmp_path: Path) -> None:
    study = study_of(tmp_path / "run", RUN)
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["accuracy", "size_bytes"]
    states = [trial.state.name for trial in study.trials]
    assert states == ["PRUNED", "COMPLETE", "FAIL", "PRUNED", "PRUNED", "COMPLETE"]
    trial = study.trials[1]
    assert trial.values == [0.25, 101.0]
    assert trial.params == {"op": "a", "kernel": "[3, 3]", "width": 16}
    assert trial.distributions["width"].choices == (0, 16, 24, 32, 40)
    assert trial.duration is not None
    assert trial.duration.total_seconds() == 0.25
    failed = study.trials[2].user_attrs
    assert (failed["status"], failed["reason"], failed["size_bytes"]) == ("FAILED", "why 2", 9.0)
    assert study.trials[2].datetime_start >= study.trials[1].datetime_complete
    assert {trial.number for trial in study.best_trials} == {1}


def test_one_goal_is_a_study_with_a_best_trial(tmp_path: Path) -> None:
    study = study_of(tmp_path / "run", [evaluation(0), evaluation(1)], Objective())
    assert study.best_trial.number == 0
    assert study.best_value == evaluation(0).metrics["accuracy"]


def test_without_optuna_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match=r"pip install 'compact-nas\[optuna\]'"):
        write_study(tmp_path, tmp_path / "study.db")
