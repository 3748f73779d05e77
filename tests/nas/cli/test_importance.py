from pathlib import Path

from rich.console import Console

from nas.cli.importance import print_importance
from nas.objective import Evaluation, Objective
from nas.runs.journal import open_journal
from tests.nas.cli.summaries import OK, RUN, write


def shown(out: Path) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        print_importance(out, console)
    return capture.get()


def test_few_trials_tell_nothing(tmp_path: Path) -> None:
    write(tmp_path, RUN)
    assert "importance needs 8 trained trials that differ in accuracy, but there are 3" in shown(
        tmp_path
    )


def test_what_explains_the_accuracy_comes_first_with_its_best_option(tmp_path: Path) -> None:
    with open_journal(tmp_path, {"objective": Objective().to_json()}) as opened:
        for id in range(12):
            width, kernel = (8, 16)[id % 2], (1, 3)[id // 6]
            opened.append(
                Evaluation(
                    id=id,
                    genotype=(id,),
                    design={"kernel": kernel, "width": width},
                    status=OK,
                    reason="",
                    metrics={"accuracy": 0.5 + width / 100},
                    seconds=1.0,
                )
            )
    rows = [line.split() for line in shown(tmp_path).splitlines() if line.startswith("│")]
    assert [row[1:8:2] for row in rows] == [
        ["width", "100%", "2", "16"],
        ["kernel", "0%", "2", "1"],
    ]
