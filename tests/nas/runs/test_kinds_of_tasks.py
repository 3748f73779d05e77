"""Runs of tasks that are not classifications, from the task to what is shown."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.cli.score import score_file
from nas.cli.show import print_summary
from nas.data import Split, Task, split, standardized_targets
from nas.experiment import Experiment
from nas.objective import Objective
from nas.packed import unpack
from nas.program import logits, qualities
from nas.report.page import write_report
from nas.runs.confusion import CONFUSION_FILE, read_confusion
from nas.runs.directory import TEST_FILE, packed_path
from nas.runs.run import run
from nas.runs.summary import summary
from nas.seeds import generator
from nas.training.distil import Teacher
from nas.training.recipe import Recipe
from nas.training.stopping import MedianStop
from nas.training.supernet import Supernet
from search_spaces.mlp import Mlp
from strategies.random_search import RandomSearch

RNG = torch.Generator().manual_seed(0)


def sine() -> Task:
    inputs = torch.rand(100, 1, generator=RNG) * 4 - 2
    data = Split(inputs, torch.sin(inputs[:, 0]))
    return split("sine", data, 0, generator(0, "sine"), kind="regression")


def blobs() -> Task:
    labels = torch.arange(100) % 2
    inputs = torch.randn(100, 2, generator=RNG) + 2.0 * labels[:, None]
    return split("blobs", Split(inputs, labels), 2, generator(0, "blobs"), kind="binary")


def experiment(task: Task, objective: Objective, **settings: Any) -> Experiment:
    recipe = Recipe(epochs=6, finetune_epochs=2, batch_size=10, lr=0.05, finetune_lr=0.02)
    given: dict[str, Any] = {
        "space": Mlp(layers=1, widths=(4, 8), ratios=(0.0, 0.5), bits=(6, 8)),
        "narrowing": (ChannelPruning(),),
        "compressors": (Quantization(),),
        "recipe": recipe,
        "strategy": RandomSearch,
        "trials": 2,
        "seed": 0,
    }
    return Experiment(task=task, objective=objective, **{**given, **settings})


def shown(out: Path) -> str:
    console = Console(record=True, width=120, force_terminal=False)
    print_summary(out, console)
    return console.export_text()


def test_a_regression_is_searched_tested_and_shown(tmp_path: Path) -> None:
    task = sine()
    objective = Objective(maximize=(), minimize=("mae", "size_bytes"))
    found = run(experiment(task, objective, retrain=1, final_epochs=2), tmp_path)
    assert found.best is not None
    assert found.final is not None

    program = unpack(packed_path(tmp_path, found.best.id).read_bytes())
    outputs = logits(program, task.validation.inputs)[:, 0]
    missed = np.abs(outputs - task.validation.labels.numpy()).mean()
    assert found.best.metrics["mae"] == pytest.approx(missed)
    assert found.best.metrics["r2"] > 0.5
    assert found.best.metrics["mae"] == min(each.metrics["mae"] for each in found.evaluations)
    curve = [epoch.accuracy for epoch in found.best.history]
    assert curve[-1] == pytest.approx(found.best.metrics["r2_fake_quant"])
    assert "accuracy" not in found.best.metrics

    stored = json.loads((tmp_path / TEST_FILE).read_bytes())
    assert stored["mae"] == found.test_accuracy
    assert not (tmp_path / CONFUSION_FILE).exists()
    told = summary(tmp_path)
    assert (told["quality"], told["test_mae"]) == ("mae", found.test_accuracy)
    assert "search_mae" in told["retrained"][0]
    assert {"test_mae"} == {*found.final.metrics} & {"test_mae", "mae", "r2", "r2_fake_quant"}
    text = shown(tmp_path)
    assert f"test mae of the best: {found.test_accuracy:.4f}" in text
    assert "accuracy" not in text
    assert repr(found).endswith(f"test mae {found.test_accuracy:.6g})")
    write_report([tmp_path], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "test mae of the packed file" in page
    assert "The task is a regression, which has no classes." in page

    header = json.loads((tmp_path / "journal.jsonl").read_text().splitlines()[0])["record"]
    assert header["experiment"]["task"]["kind"] == "regression"
    wide = Split(task.test.inputs, torch.ones(len(task.test.labels), 2))
    with pytest.raises(ValueError, match="have 1 outputs, as the program, but are of a regression"):
        qualities(program, wide, ("mae",), "regression")


def test_one_logit_is_searched_tested_and_shown(tmp_path: Path) -> None:
    task = blobs()
    recipe = Recipe(epochs=3, finetune_epochs=1, batch_size=10, lr=0.05, label_smoothing=0.1)
    found = run(experiment(task, Objective(maximize=("f1",)), recipe=recipe), tmp_path)
    assert found.best is not None
    assert found.best.metrics["accuracy"] > 0.8
    assert {"accuracy", "auc", "f1"} <= found.best.metrics.keys()
    counts = read_confusion(tmp_path, found.best.id)
    assert counts is not None
    hits, wrong = counts[1][1], counts[0][1] + counts[1][0]
    assert found.test_accuracy == pytest.approx(2 * hits / (2 * hits + wrong))
    path = packed_path(tmp_path, found.best.id)
    np.savez(tmp_path / "test.npz", inputs=task.test.inputs, labels=task.test.labels)
    scored = score_file(path, str(tmp_path / "test.npz"))
    assert scored["f1"] == found.test_accuracy
    assert "test f1 of the best" in shown(tmp_path)


def _net(example: Tensor, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(example[0].numel(), 16), nn.ReLU(), nn.Linear(16, outputs))


@pytest.mark.parametrize("made", [sine, blobs])
def test_teachers_and_stopping_go_with_every_kind(made: Callable[[], Task], tmp_path: Path) -> None:
    task = made()
    name = "r2" if task.kind == "regression" else "auc"
    objective = Objective(maximize=(name,))
    teacher = Teacher(build=_net, epochs=2)
    stop = MedianStop(epochs=1, curves=1)
    settings = {"teacher": teacher, "stop": stop, "trials": 4, "window": 1}
    found = run(experiment(task, objective, **settings), tmp_path)
    assert len(found.evaluations) >= 4
    assert not [each.reason for each in found.evaluations if each.status == "FAILED"]


def test_what_does_not_go_with_a_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"of a regression can maximize \('r2',\), but got"):
        experiment(sine(), Objective())
    with pytest.raises(ValueError, match=r"can minimize .*, but got \['mae'\]"):
        experiment(blobs(), Objective(minimize=("mae",)))
    objective = Objective(maximize=("r2",))
    with pytest.raises(ValueError, match="settings of classes must be off for a regression"):
        experiment(sine(), objective, recipe=Recipe(label_smoothing=0.1))
    with pytest.raises(ValueError, match="regression_loss must be 'squared'"):
        experiment(blobs(), Objective(), recipe=Recipe(regression_loss="absolute"))
    with pytest.raises(ValueError, match="a supernet must be of a classification"):
        experiment(sine(), objective, supernet=Supernet(epochs=1))
    with pytest.raises(ValueError, match="where a teacher answers"):
        experiment(
            sine(),
            objective,
            recipe=Recipe(regression_loss="absolute"),
            teacher=Teacher(build=_net),
        )


@pytest.mark.slow
def test_the_progression_of_diabetes_is_learned(tmp_path: Path) -> None:
    from sklearn.datasets import load_diabetes

    measurements, progression = load_diabetes(return_X_y=True)
    inputs = torch.from_numpy(measurements).float() / measurements.std()
    data = Split(inputs, torch.from_numpy(progression).float())
    task = split("diabetes", data, 0, generator(0, "diabetes"), kind="regression")
    task, _, _ = standardized_targets(task)
    recipe = Recipe(epochs=30, finetune_epochs=10, batch_size=32, lr=5e-3, weight_decay=0.1)
    objective = Objective(maximize=("r2",), minimize=("size_bytes",))
    found = run(experiment(task, objective, recipe=recipe, trials=4), tmp_path)
    assert found.test_accuracy is not None
    assert found.test_accuracy > 0.3  # linear regression reaches 0.4 to 0.5
