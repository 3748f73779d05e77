from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.same_journals import difference, main
from nas.objective import Epoch, Evaluation, Status
from nas.runs.journal import JOURNAL_NAME, open_journal

EXPERIMENT: dict[str, Any] = {"seed": 0, "recipe": {"epochs": 2, "lr": 0.1}}
RUN = [
    Evaluation(
        id=id,
        genotype=(id, 1),
        design={"width": 8 * id},
        status=Status.OK,
        reason="",
        metrics={"accuracy": 0.5, "macs": 9.0},
        seconds=1.0,
        history=(Epoch(1.0, 0.25),),
    )
    for id in range(3)
]


def write(out: Path, evaluations: list[Evaluation], **changes: Any) -> Path:
    with open_journal(out, EXPERIMENT | changes) as journal:
        for evaluation in evaluations:
            journal.append(evaluation)
    return out


def test_journals_that_differ_in_times_only_are_the_same(tmp_path: Path) -> None:
    slower = [replace(evaluation, seconds=5.0, finished=9.0) for evaluation in RUN]
    assert difference(write(tmp_path / "a", RUN), write(tmp_path / "b", slower)) == ""


@pytest.mark.parametrize(
    ("run", "changes", "text"),
    [
        (RUN, {"seed": 1}, "the header differs in experiment.seed"),
        (RUN, {"recipe": {"epochs": 2}}, "the header differs in experiment.recipe.lr"),
        (RUN[:2], {}, "3 and 2 evaluations"),
        (
            [*RUN[:1], replace(RUN[1], genotype=(0, 0)), RUN[2]],
            {},
            "evaluation 1 differs in genotype",
        ),
        (
            [*RUN[:2], replace(RUN[2], metrics={"accuracy": 0.25, "macs": 9.0}, history=())],
            {},
            "evaluation 2 differs in history, metrics.accuracy",
        ),
    ],
)
def test_what_differs_is_named(
    tmp_path: Path, run: list[Evaluation], changes: dict[str, Any], text: str
) -> None:
    assert difference(write(tmp_path / "a", RUN), write(tmp_path / "b", run, **changes)) == text


def test_a_row_for_each_run_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("a", "b"):
        write(tmp_path / folder / "mlp", RUN)
        write(tmp_path / folder / "conv" / "deep", RUN)
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    main(folders)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows == [["conv/deep", "same"], ["mlp", "same"]]
    (tmp_path / "a" / "mlp" / JOURNAL_NAME).unlink()
    with pytest.raises(SystemExit) as end:
        main(folders)
    assert end.value.code == 1
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert rows == [["conv/deep", "same"], ["mlp", f"{tmp_path / 'a' / 'mlp'} holds no journal"]]


def test_folders_without_runs_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path), str(tmp_path)])
    assert end.value.code == 2
    assert "there must be a run directory below" in capsys.readouterr().err
