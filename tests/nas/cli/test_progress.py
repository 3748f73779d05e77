"""The line on a terminal, and what a log has instead."""

import io
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from nas.cli.progress import ProgressLine
from nas.objective import Evaluation, Status
from nas.runs.epoch_notes import EpochNotes
from tests.nas.board.searches import OBJECTIVE, RUN

DONE = [replace(each, finished=time.time() + 86_400) for each in RUN]


def screen(width: int, notes: EpochNotes, evaluations: list[Evaluation]) -> str:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=width, color_system=None)
    line = ProgressLine(9, OBJECTIVE, console, notes)
    line.update(evaluations)
    with line:
        pass
    return shown.getvalue()


@pytest.mark.parametrize("width", [50, 120])
def test_a_terminal_of_any_width_shows_all_of_the_line(width: int, tmp_path: Path) -> None:
    notes = EpochNotes(tmp_path)
    notes.write(2, (), 5)
    notes.write(6, (), 12)
    notes.write(7, (), 15)
    shown = screen(width, notes, DONE)
    words = " ".join(shown.split())
    for part in ("4/9", "0.7500", "3000", "0/12", "0/15"):
        assert part in words
    assert "0/5" not in words  # number 2 is done


def test_a_line_for_each_candidate_of_this_call_if_wanted() -> None:
    shown = io.StringIO()
    before = replace(RUN[0], finished=1.0)
    failed = replace(DONE[3], reason="ValueError: [bold]")
    with ProgressLine(9, OBJECTIVE, Console(file=shown, width=80), each=True) as line:
        line.update([before])
        line.update([before, DONE[1]])
        line.update([before, DONE[1], DONE[2], failed])
    lines = [each for each in shown.getvalue().splitlines() if each.startswith("number")]
    assert [each.split(",")[0] for each in lines] == [
        "number 1: OVER_BUDGET",
        "number 2: OK",
        "number 3: FAILED",
    ]
    assert "ValueError: [bold]" in lines[-1]
    assert DONE[3].status is Status.FAILED
