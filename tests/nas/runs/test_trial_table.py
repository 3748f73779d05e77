import csv
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

import numpy as np

from nas.objective import Evaluation, Objective, Status
from nas.runs.journal import open_journal
from nas.runs.trial_table import write_trial_table
from tests.nas.runs.journals import evaluation

FAILED = replace(
    evaluation(1),
    status=Status.FAILED,
    metrics={},
    reason='ValueError: "a", b\r\nof 3 lines,\nand 2 breaks',
    design={"op": "conv,\n1×1", "kernel": [3, 3], "depth": None},  # type: ignore[dict-item]
    epochs=None,
)


def written(out: Path, evaluations: list[Evaluation]) -> bytes:
    with open_journal(out, {"objective": Objective().to_json()}) as journal:
        for each in evaluations:
            journal.append(each)
    assert write_trial_table(out, out / "trials.csv") == len(evaluations)
    return (out / "trials.csv").read_bytes()


def test_a_table_has_a_line_for_each_candidate(tmp_path: Path) -> None:
    content = written(tmp_path, [evaluation(0), FAILED]).decode()
    assert content.count("\r\n") == content.count("\n") == 3
    first, failed = csv.DictReader(content.splitlines())
    chosen: dict[str, Hashable] = {
        f"design.{name}": str(o) for name, o in evaluation(0).design.items()
    }
    chosen["design.op"] = "conv 1×1"
    facts = {"number": "0", "status": "OK", "reason": "", "epochs": "1.5", "seconds": "0.25"}
    measured = {name: str(value) for name, value in evaluation(0).metrics.items()}
    assert first == {**facts, **measured, **chosen, "design.kernel": "", "design.depth": ""}
    assert failed["reason"] == 'ValueError: "a", b of 3 lines, and 2 breaks'
    assert (failed["accuracy"], failed["epochs"], failed["design.width"]) == ("", "", "")
    assert (failed["design.kernel"], failed["design.depth"]) == ("[3, 3]", "None")


def test_numbers_are_whole_in_numpy(tmp_path: Path) -> None:
    found = [evaluation(id) for id in range(4)]
    written(tmp_path, found)
    table = np.loadtxt(tmp_path / "trials.csv", delimiter=",", quotechar='"', skiprows=1, dtype=str)
    assert table.shape == (4, 5 + 2 + 5)
    assert table[:, 5].astype(float).tolist() == [each.metrics["accuracy"] for each in found]


def test_a_choice_called_like_a_metric_has_a_column_of_its_own(tmp_path: Path) -> None:
    twice = replace(evaluation(0), design={"accuracy": 7, "epochs": 9})
    (row,) = csv.DictReader(written(tmp_path, [twice]).decode().splitlines())
    assert (row["accuracy"], row["design.accuracy"]) == (str(twice.metrics["accuracy"]), "7")
    assert (row["epochs"], row["design.epochs"]) == ("1.5", "9")


def test_an_empty_run_is_a_heading(tmp_path: Path) -> None:
    assert written(tmp_path, []) == b"number,status,reason,epochs,seconds\r\n"
