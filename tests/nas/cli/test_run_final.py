import dataclasses
import re
from pathlib import Path

import pytest

from nas.cli.main import main
from nas.objective import Status
from nas.packed import unpack
from nas.program import score
from nas.runs.evaluation_file import write_evaluation
from nas.runs.final import read_final
from nas.runs.finalists import read_retrained
from tests.conftest import blobs

EXPERIMENT = """
from nas import Budget, Experiment, Objective, Recipe
from nas.data import Task
from compressors import Quantization
from strategies import RandomSearch
from tests.conftest import TinySpace, blobs

def small(samples: int = 60) -> Experiment:
    return Experiment(
        space=TinySpace(), compressors=(Quantization(),),
        task=Task(name="blobs", train=blobs(samples, 0), validation=blobs(30, 1), test=blobs(30, 2), classes=3),
        recipe=Recipe(epochs=1, finetune_epochs=1, batch_size=10, lr=0.03, finetune_lr=0.03),
        objective=Objective(budget=Budget({"size_bytes": 200.0})), strategy=RandomSearch, trials=4, seed=0,
    )
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "small.py"
    path.write_text(EXPERIMENT)
    return str(path)


def test_a_run_ends_with_a_file_to_ship(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, shipped = tmp_path / "out", tmp_path / "a.nas"
    command = [
        "run",
        file,
        "--executor",
        "in-process",
        "--retrain",
        "2",
        "--final-epochs",
        "4",
        "--out",
        str(out),
    ]
    main(command)
    text, final = capsys.readouterr().out, read_final(out)
    assert final is not None
    told = re.findall(r"^training number (\d+) (.*)$", text, re.MULTILINE)
    assert [ending for _, ending in told] == [
        "again, 1 of 2, 4 epochs",
        "again, 2 of 2, 4 epochs",
        "on training and validation samples, 4 epochs",
    ]
    assert {int(id) for id, _ in told[:2]} == {e.id for e in read_retrained(out)}
    assert f"final network: number {final.id}, trained for 4 epochs" in " ".join(text.split())
    main(["export", str(out), "--id", "final", "--out", str(shipped)])
    tested = score(unpack(shipped.read_bytes()), blobs(30, 2))
    assert f"test_accuracy {tested:.4f}" in capsys.readouterr().out
    # A file that does not fit is said to, and the command fails.
    reason = "size_bytes 9 > 5 when trained"
    over = dataclasses.replace(final, status=Status.OVER_BUDGET, reason=reason)
    write_evaluation(out / "final" / "final.json", over)
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 1
    text = " ".join(capsys.readouterr().out.split())
    assert f"cannot be shipped: it is OVER_BUDGET, {reason}" in text
    assert "training number" not in text


def test_the_design_is_trained_on_more_data_and_its_test_accuracy_is_printed(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, shipped = str(tmp_path / "out"), tmp_path / "a.nas"
    main(["run", file, "--executor", "in-process", "--samples", "30", "--out", out])
    capsys.readouterr()
    main(["export", out, "--out", str(shipped), "--retrain", file, "--final-epochs", "3"])
    tested = score(unpack(shipped.read_bytes()), blobs(30, 2))
    assert f"test_accuracy {tested:.4f}" in capsys.readouterr().out


def test_without_a_candidate_to_train_there_is_no_final_network(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    main(
        [
            "run",
            file,
            "--executor",
            "in-process",
            "--retrain",
            "1",
            "--final-epochs",
            "2",
            "--out",
            str(out),
        ]
    )
    (stored,) = read_retrained(out)
    path = out / "retrained" / f"{stored.id:05d}.json"
    write_evaluation(path, dataclasses.replace(stored, status=Status.FAILED, metrics={}))
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(
            [
                "run",
                file,
                "--executor",
                "in-process",
                "--retrain",
                "1",
                "--final-epochs",
                "2",
                "--out",
                str(out),
            ]
        )
    assert end.value.code == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "no final network: none that was trained again meets the budget" in text
