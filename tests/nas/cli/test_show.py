import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nas.cli.metrics import format_metrics
from nas.cli.show import print_json, print_summary
from nas.objective import Budget, Evaluation, Objective
from nas.runs.directory import TEST_FILE, RunDirectoryError, write_test_score
from nas.runs.journal import JOURNAL_NAME, open_journal, read_journal
from nas.runs.journal_format import objective_of
from nas.runs.summary import summary
from nas.soft_target import SoftTarget
from tests.nas.cli.summaries import OK, OVER, RUN, candidate, write


def shown(out: Path) -> str:
    console = Console(width=300)
    with console.capture() as capture:
        print_summary(out, console)
    return capture.get()


def test_the_summary_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, RUN)
    print_json(tmp_path)
    assert json.loads(capsys.readouterr().out) == {
        "best": candidate(2),
        "pareto": [candidate(2), candidate(0)],
        "hypervolume": pytest.approx(0.875 * 0.25 + 0.5 * 0.5),
        "counts": {"OK": 3, "OVER_BUDGET": 2, "STOPPED": 0, "FAILED": 1},
    }


def test_the_test_accuracy_is_shown_only_if_it_is_that_of_the_best(tmp_path: Path) -> None:
    write(tmp_path, RUN)
    for id, expected in ((2, {"test_accuracy": 0.75}), (0, {})):
        write_test_score(tmp_path, id, 0.75)
        assert {
            name: value for name, value in summary(tmp_path).items() if name.startswith("test")
        } == expected
        assert ("test accuracy of the best: 0.7500" in shown(tmp_path)) is bool(expected)


def test_where_nothing_meets_the_budget_the_nearest_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [RUN[1], RUN[3], RUN[5]]
    write(tmp_path, results)
    print_json(tmp_path)
    assert json.loads(capsys.readouterr().out) == {
        "best": None,
        "pareto": [],
        "hypervolume": 0.0,
        "counts": {"OK": 0, "OVER_BUDGET": 2, "STOPPED": 0, "FAILED": 1},
        "nearest": candidate(2, results),
    }
    assert "nothing meets the budget; nearest: number 2, size_bytes 5000" in shown(tmp_path)


def test_a_run_without_results_has_nothing_to_show(tmp_path: Path) -> None:
    for name, results, failed in (("new", [], 0), ("failed", [RUN[3]] * 2, 2)):
        write(tmp_path / name, results)
        counts = {"OK": 0, "OVER_BUDGET": 0, "STOPPED": 0, "FAILED": failed}
        expected: dict[str, Any] = {
            "best": None,
            "pareto": [],
            "hypervolume": 0.0,
            "counts": counts,
        }
        assert summary(tmp_path / name) == expected
        assert (
            shown(tmp_path / name)
            == f"{tmp_path / name}: 0 OK, 0 OVER_BUDGET, 0 STOPPED, {failed} FAILED\n"
        )


def test_the_table_lists_the_front_and_the_design_of_the_best(tmp_path: Path) -> None:
    write(tmp_path, RUN)
    lines = [
        " ".join(line.replace("│", " ").replace("┃", " ").split())
        for line in shown(tmp_path).splitlines()
    ]
    assert lines[0] == f"{tmp_path}: 3 OK, 2 OVER_BUDGET, 0 STOPPED, 1 FAILED"
    header, *rows = [line for line in lines if line.startswith(("number", "2 ", "0 "))]
    assert header == "number accuracy size_bytes"
    assert rows == ["2 0.8750 3000", "0 0.5000 1000"]
    assert lines[-4:] == [
        "best: number 2, accuracy 0.8750, size_bytes 3000",
        "op = conv",
        "kernel = [3, 3]",
        "width = 16",
    ]


def test_names_that_look_like_markup_are_shown_as_they_are(tmp_path: Path) -> None:
    names = [
        "<script>alert(1)</script>",
        "[bold]x[/bold]",
        "[/]",
        "[link=file:///x]y[/link]",
        ":star:",
        "a\\",
        "\\[b]",
        "=cmd()",
        "[1, 2]",
    ]
    design = {name: f"{name}{name}" for name in names}
    metrics = {"accuracy": 0.5, "size_bytes": 1.0, **dict.fromkeys(names, 0.25)}
    out = tmp_path / "[red]run[/red] :star:"
    write(out, [(OK, metrics)], design=design)
    text = shown(out)
    assert str(out) in text
    for name in names:
        assert f"  {name} = {name}{name}\n" in text
        assert f"{name} 0.2500" in text
        assert text.count(name) >= 4
    write(tmp_path / "over", [(OVER, {"size_bytes": 1e9, "[bold]x": 1.0})])
    assert "[bold]x 1.0000" in shown(tmp_path / "over")


def test_metrics_in_words() -> None:
    for metrics, words in (
        ({}, ""),
        ({"accuracy": 0.123456, "size_bytes": 2048.0}, "accuracy 0.1235, size_bytes 2048"),
        ({"accuracy": 1.0, "params": 0.0}, "accuracy 1.0000, params 0.0000"),
        ({"latency_ms": 12.25, "macs": 123456789.0}, "latency_ms 12.2500, macs 123456789"),
    ):
        assert format_metrics(metrics) == words


def test_directories_that_cannot_be_shown_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        RunDirectoryError, match=r"a run directory must hold journal.jsonl, but .* does not"
    ):
        summary(tmp_path)
    write(tmp_path / "damaged", RUN)
    path = tmp_path / "damaged" / JOURNAL_NAME
    path.write_bytes(path.read_bytes().replace(b"0.875", b"0.975"))
    with pytest.raises(
        RunDirectoryError,
        match=r"journal.jsonl at byte \d+ must be an undamaged line of the journal, but the check",
    ):
        summary(tmp_path / "damaged")
    write(tmp_path / "tested", RUN)
    (tmp_path / "tested" / TEST_FILE).write_bytes(b"{")
    with pytest.raises(
        RunDirectoryError,
        match=r"test.json must hold an id and the test accuracy, but is damaged: remove it",
    ):
        summary(tmp_path / "tested")


def test_journals_whose_objective_cannot_judge_them_are_refused(tmp_path: Path) -> None:
    good = Objective().to_json()
    for number, (objective, metrics) in enumerate(
        [
            (None, {"accuracy": 0.5}),
            ("accuracy", {"accuracy": 0.5}),
            ({}, {"accuracy": 0.5}),
            ({**good, "maximize": 3}, {"accuracy": 0.5}),
            (
                {**good, "budget": {"limits": {"size_bytes": -1}}},
                {"accuracy": 0.5, "size_bytes": 1.0},
            ),
            ({**good, "budget": {"limits": [1]}}, {"accuracy": 0.5}),
            ({**good, "budget": {"limits": {"size_bytes": 100}}}, {"accuracy": 0.5}),
            (good, {"size_bytes": 1.0}),
            (good, {"accuracy": 50.0}),
        ]
    ):
        out = tmp_path / str(number)
        with open_journal(out, {"objective": objective}) as opened:
            opened.append(
                Evaluation(
                    id=0,
                    genotype=(0,),
                    design={},
                    status=OK,
                    reason="",
                    metrics=metrics,
                    seconds=1.0,
                )
            )
            opened.append(
                Evaluation(
                    id=1,
                    genotype=(1,),
                    design={},
                    status=OK,
                    reason="",
                    metrics=metrics,
                    seconds=1.0,
                )
            )
        with pytest.raises(
            RunDirectoryError,
            match=f"{out} must hold an objective and all metrics that it names, but judging gives ",
        ):
            summary(out)


def test_the_objective_of_a_run_is_read_back_from_its_header(tmp_path: Path) -> None:
    for name, soft in (("hard", None), ("soft", SoftTarget("size_bytes", 2000.0, -0.5))):
        objective = Objective(
            maximize=("accuracy",),
            minimize=("macs",),
            budget=Budget({"size_bytes": 4000.0}),
            soft_target=soft,
        )
        with open_journal(tmp_path / name, {"objective": objective.to_json()}):
            pass
        assert objective_of(read_journal(tmp_path / name)[0]) == objective
    older = {name: value for name, value in Objective().to_json().items() if name != "soft"}
    assert objective_of({"experiment": {"objective": older}}) == Objective()
