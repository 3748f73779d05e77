from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from nas.cli.budget_table import check_budget
from nas.cli.main import main
from nas.data import Task
from nas.experiment import Experiment
from tests.nas.evaluation.trained_spaces import FINETUNING, trained_space


def text_of(experiment: Experiment) -> str:
    console = Console(file=StringIO(), width=120)
    check_budget(experiment, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_reach_of_each_limited_cost_is_shown(
    tiny: Callable[..., Experiment], tiny_task: Task
) -> None:
    space = trained_space(tiny_task)
    shown = text_of(tiny({"size_bytes": 300, "macs": 700}, space=space, recipe=FINETUNING))
    size, macs = (line for line in shown.splitlines() if "yes" in line)
    assert "size_bytes" in size
    assert "300" in size
    smallest, middle, largest = (int(cell) for cell in size.split("│")[2:5])
    assert smallest < middle < largest
    assert macs.count("608") == 3


@pytest.mark.fault(49)
def test_a_budget_that_nothing_meets_is_refused(
    tiny: Callable[..., Experiment], tiny_task: Task
) -> None:
    space = trained_space(tiny_task)
    with pytest.raises(
        ValueError, match=r"a candidate can meet: size_bytes must be at least \d+, but may be 40"
    ):
        text_of(tiny({"size_bytes": 40, "macs": 700}, space=space, recipe=FINETUNING))


SCRIPT = """
from torch import nn

from compressors import Quantization
from nas import Budget, Choice, Choices, Experiment, Objective, Recipe, seeds
from nas.data import digits
from search_spaces import TrainedNetwork
from strategies import RandomSearch


def script(size_bytes: int = 1000) -> Experiment:
    task = digits(seeds.generator(0, "digits"))
    with seeds.seeded(0):
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    return Experiment(
        space=TrainedNetwork(model, Choices([Choice("1", "bits", (2, 8))])),
        compressors=(Quantization(),),
        task=task,
        recipe=Recipe(epochs=0, finetune_epochs=1),
        objective=Objective(budget=Budget({"size_bytes": size_bytes})),
        strategy=RandomSearch,
        trials=1,
        seed=0,
    )
"""


def test_a_run_shows_the_table_once_and_begins_nothing_that_cannot_succeed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "script.py", tmp_path / "run"
    file.write_text(SCRIPT)
    with pytest.raises(SystemExit) as end:
        main(
            [
                "run",
                str(file),
                "--executor",
                "in-process",
                "--size-bytes",
                "0.1kB",
                "--out",
                str(out),
            ]
        )
    assert end.value.code == 2
    assert not out.exists()
    assert "but may be 100" in capsys.readouterr().err
    for shown in (1, 0):
        main(
            ["run", str(file), "--executor", "in-process", "--size-bytes", "2kB", "--out", str(out)]
        )
        assert capsys.readouterr().out.count("can be met") == shown
