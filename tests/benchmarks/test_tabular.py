import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.tabular import main, summary
from nas.tabular.search import Trajectory

COLUMNS = ["--search-on", "val_acc_2ep", "--report", "test_acc_9ep", "--workers", "1"]


def test_json_is_one_object_that_says_what_was_run_and_found(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = ["--limit", "params=500", "--limit", "latency_ms_board=3"]
    options = ["--option", "population=5", "--option", "sample=2"]
    main(
        [
            *f"--table {path} --strategy evolution --seeds 8 --queries 20 --json".split(),
            *COLUMNS,
            *limits,
            *options,
        ]
    )
    result = json.loads(capsys.readouterr().out)
    assert result.pop("mean") == pytest.approx(80, abs=0.5), (
        "(2, 2, 0) is the best that meets both limits"
    )
    assert result.pop("std") >= 0
    assert result.pop("mean_cost") == pytest.approx(17 * 11, rel=0.1)
    assert 15 <= result.pop("mean_queries") <= 17, "17 designs meet both"
    assert sum(result.pop("ended").values()) == 8
    assert set(result.pop("curve")) == {"10", "20", "50", "100", "200", "500"}
    assert result == {
        "table": "made_up.npz",
        "strategy": "evolution",
        "options": {"population": 5, "sample": 2},
        "search_on": "val_acc_2ep",
        "report": "test_acc_9ep",
        "limits": {"params": 500.0, "latency_ms_board": 3.0},
        "seconds": None,
        "queries": 20,
        "seeds": 8,
        "found": 8,
    }


def test_mean_deviation_and_curve_are_over_seeds() -> None:
    low, high = (
        Trajectory((1.0,) * 9 + (2.0,) * 11, 20.0),
        Trajectory((3.0,) * 9 + (4.0,) * 41, 50.0),
    )
    assert summary([low, high]) == {
        "seeds": 2,
        "found": 2,
        "mean": 3.0,
        "std": 1.0,
        "mean_queries": 35.0,
        "mean_cost": 35.0,
        "ended": {"limit": 2},
        "curve": {"10": 3.0, "20": 3.0, "50": None, "100": None, "200": None, "500": None},
    }


def test_a_search_without_an_incumbent_is_left_out_of_the_mean_and_counted() -> None:
    result = summary([Trajectory((), 0.0), Trajectory((5.0,), 1.0)])
    assert (result["seeds"], result["found"], result["mean"], result["mean_queries"]) == (
        2,
        1,
        5.0,
        0.5,
    )
    nothing = summary([Trajectory((), 0.0)])
    assert (nothing["found"], nothing["mean"], nothing["std"]) == (0, None, None)


def test_without_json_there_is_a_table_with_bars(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*f"--table {path} --strategy random --seeds 20 --seconds 300".split(), *COLUMNS])
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "made_up.npz" in lines[0]
    assert any(line.split()[:2] == ["seeds", "20"] for line in lines)
    bars = [line.count("█") for line in lines if "│" in line]
    assert bars[0] == 1 < bars[-1] == 40


def test_auto_is_told_by_name(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*f"--table {path} --seeds 1 --queries 3 --json".split(), *COLUMNS])
    assert json.loads(capsys.readouterr().out)["strategy"] == "surrogate"


def test_halving_queries_columns_of_fewer_epochs_first(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.load(path) as arrays:
        more = {
            "val_acc_1ep": arrays["val_acc_2ep"],
            "train_seconds_1ep": arrays["train_seconds_2ep"] / 10,
        }
        np.savez(path, allow_pickle=False, **arrays, **more)
    halving = "--strategy random --fidelity halving --eta 2 --seeds 1 --queries 9 --json"
    main(["--table", str(path), *halving.split(), *COLUMNS])
    result = json.loads(capsys.readouterr().out)
    assert (result["fidelity"], result["eta"]) == ("halving", 2)
    assert result["mean_cost"] < 6 * 1.8 + 3 * 18, "two of three queries are cheap"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--strategy evolution", "one of the arguments --seconds --queries is required"),
        ("--strategy evolution --seconds 5 --queries 5", "not allowed with argument"),
        ("--strategy magic --queries 5", "invalid choice: 'magic'"),
        ("--strategy evolution --queries 0", "queries must be positive and finite, but got 0"),
        ("--strategy evolution --queries 5 --seeds 0", "seeds must be at least 1, but got 0"),
        ("--strategy evolution --queries 5 --workers 0", "workers must be at least 1, but got 0"),
        ("--strategy evolution --queries 5 --limit params", "must be NAME=VALUE, but got 'params'"),
        (
            "--strategy evolution --queries 5 --limit params=few",
            "the limit of 'params' must be a number, but got 'few'",
        ),
        (
            "--strategy evolution --queries 5 --limit params=-3",
            "the budget of 'params' must be a positive number",
        ),
        ("--strategy evolution --queries 5 --limit magic=3", "a numerical column 'magic'"),
        (
            "--strategy evolution --queries 5 --option popul=3",
            "one of ('population', 'sample', 'balanced', 'immigrants'), but got 'popul'",
        ),
        (
            "--strategy evolution --queries 5 --option population=many",
            "'population' of 'evolution' must be of type int",
        ),
        ("--strategy evolution --queries 5 --option sample=99", "sample must be within 1"),
        ("--fidelity halving --queries 5", "must have columns of fewer epochs for halving"),
    ],
)
def test_wrong_arguments_are_refused(
    path: Path, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--table", str(path), *COLUMNS, *arguments.split()])
    assert ended.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_missing_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--table", str(tmp_path / "x.npz"), "--strategy", "random", "--queries", "5"])
    assert ended.value.code == 2
    assert "x.npz is missing" in capsys.readouterr().err
