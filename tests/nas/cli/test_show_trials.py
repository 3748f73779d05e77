"""Why candidates failed, a line for each candidate, and one in full."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn

from nas.cli.main import main
from nas.cli.show import print_summary
from nas.cli.trials import print_trial, print_trials
from nas.lowering import lower
from nas.objective import Budget, Epoch, Evaluation, Objective, Status
from nas.packed import pack
from nas.runs.directory import packed_path
from nas.runs.journal import open_journal
from nas.runs.reasons import Reason, reasons

OBJECTIVE = Objective(
    maximize=("accuracy",), minimize=("size_bytes",), budget=Budget({"size_bytes": 4000.0})
)
CURVE = (Epoch(1.5, None), Epoch(0.5, 0.75))


def evaluation(
    id: int, status: Status, reason: str = "", history: tuple[Epoch, ...] = (), **metrics: float
) -> Evaluation:
    return Evaluation(
        id=id,
        genotype=(id,),
        design={"head.bits": id},
        status=status,
        reason=reason,
        metrics=metrics,
        seconds=10.0 - id,
        history=history,
    )


RUN = [
    evaluation(0, Status.OK, history=CURVE, accuracy=0.75, size_bytes=1000.0, macs=64.0),
    evaluation(1, Status.FAILED, "ValueError: 3 rows for [7] columns (build, line 12)"),
    evaluation(2, Status.FAILED, "KeyError: 'width' (build, line 12)"),
    evaluation(3, Status.FAILED, "ValueError: 4 rows for [8] columns (build, line 12)"),
    evaluation(4, Status.OVER_BUDGET, "size_bytes 9000 of 4000", size_bytes=9000.0),
    evaluation(
        5, Status.OVER_BUDGET, "size_bytes 4100 of 4000 when trained", CURVE, size_bytes=4100.0
    ),
    evaluation(6, Status.OK, history=CURVE, accuracy=0.5, size_bytes=2000.0, macs=32.0),
]


def write(out: Path) -> None:
    with open_journal(out, {"objective": OBJECTIVE.to_json()}) as journal:
        for each in RUN:
            traceback = "Traceback of the second" if each.id == 1 else ""
            journal.append(replace(each, traceback=traceback))


def test_reasons_that_differ_in_numbers_alone_count_as_one() -> None:
    failed = Status.FAILED
    assert reasons(RUN) == [
        Reason(failed, RUN[1].reason, 1, 2),
        Reason(failed, RUN[2].reason, 2, 1),
        Reason(Status.OVER_BUDGET, RUN[5].reason, 5, 1),
    ]


def test_a_summary_says_why_candidates_failed(tmp_path: Path) -> None:
    write(tmp_path)
    console = Console(width=200)
    with console.capture() as capture:
        print_summary(tmp_path, console)
    assert "2 FAILED, as number 1: ValueError: 3 rows for [7] columns" in capture.get()


def trials(out: Path, sort: str | None = None, status: Status | None = None) -> list[list[str]]:
    """The cells of the table, without its head."""
    console = Console(width=200)
    with console.capture() as capture:
        print_trials(out, console, sort, status)
    rows = [line for line in capture.get().splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]


def test_every_candidate_has_a_line(tmp_path: Path) -> None:
    write(tmp_path)
    found = trials(tmp_path)
    assert found[0] == ["0", "OK", "", "0.7500", "1000", "10.0", ""]
    assert found[1][-1] == RUN[1].reason
    assert [row[0] for row in found] == list("0123456")


def test_lines_are_sorted_and_chosen(tmp_path: Path) -> None:
    write(tmp_path)
    assert [row[0] for row in trials(tmp_path, "size_bytes")][:4] == ["4", "5", "6", "0"]
    assert [row[0] for row in trials(tmp_path, "seconds")] == list("0123456")
    assert trials(tmp_path, "macs")[0][5] == "64"
    assert [row[0] for row in trials(tmp_path, None, Status.FAILED)] == ["1", "2", "3"]
    with pytest.raises(
        ValueError, match=r"sorted by one of \['accuracy', .*'seconds'.*but got 'speed'"
    ):
        trials(tmp_path, "speed")


def test_one_candidate_in_full(tmp_path: Path) -> None:
    write(tmp_path)
    torch.manual_seed(0)
    packed = pack(lower(nn.Sequential(nn.Linear(4, 2)), torch.rand(8, 4)))
    packed_path(tmp_path, 0).parent.mkdir()
    packed_path(tmp_path, 0).write_bytes(packed)
    console = Console(width=120)
    with console.capture() as capture:
        print_trial(tmp_path, console, 0)
        print_trial(tmp_path, console, 1)
    said = capture.get()
    for text in ("number 0: OK, 10.0 seconds", "head.bits = 0", "1.5000", f": {len(packed)} bytes"):
        assert text in said
    assert "3 rows for [7] columns" in said
    assert "Traceback of the second" in said
    with pytest.raises(ValueError, match="numbers 0 to 6, but got 7"):
        print_trial(tmp_path, console, 7)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    main(["show", str(tmp_path), "--trials", "--status", "FAILED"])
    assert "KeyError" in capsys.readouterr().out
    main(["show", str(tmp_path), "--id", "2"])
    assert "number 2: FAILED" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["show", str(tmp_path), "--trials", "--json"])
