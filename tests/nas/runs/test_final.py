import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from rich.console import Console
from safetensors.numpy import load_file
from torch import Tensor, nn

from nas.cli.show import print_summary
from nas.data import Task
from nas.measure.host import run_onnx
from nas.objective import Epoch, Evaluation, Status
from nas.packed import unpack
from nas.program import score
from nas.runs.directory import RunDirectoryError, packed_path
from nas.runs.evaluation_file import write_evaluation
from nas.runs.export import export
from nas.runs.final import read_final
from nas.runs.finalists import chosen
from nas.runs.result import RunResult
from nas.runs.run import run
from nas.runs.summary import summary
from nas.runs.training_progress import TrainingProgress
from nas.training.distil import Teacher
from nas.training.fit import fit
from nas.training.recipe import Recipe
from tests.nas.runs.experiments import Make, facts

Seen = list[TrainingProgress]


def searched(
    tiny: Make, out: Path, seen: Seen | None = None, retrain: int = 2, epochs: int | None = 4
) -> RunResult:
    experiment = tiny(trials=4, retrain=retrain, final_epochs=epochs)
    told: Seen = [] if seen is None else seen
    return run(experiment, out, watch_training=told.append)


def shown(out: Path) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        print_summary(out, console)
    return capture.get()


def files(out: Path) -> dict[Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for folder in ("retrained", "final")
        for path in (out / folder).rglob("*.*")
    }


def test_the_chosen_one_is_trained_again_for_all_epochs(tiny: Make, tmp_path: Path) -> None:
    found, task = searched(tiny, tmp_path), tiny().task
    choice, final = chosen(found.retrained, tiny().objective), found.final
    assert choice is not None
    assert final is not None
    assert [len(e.history) for e in found.retrained] == [4, 4]
    assert (final.id, final.genotype, final.epochs) == (choice.id, choice.genotype, 4)
    program = unpack(packed_path(tmp_path / "final", final.id).read_bytes())
    assert final.metrics["test_accuracy"] == score(program, task.test)
    # On samples that it was trained on, nothing is told.
    assert final.history == ()
    assert [name for name in final.metrics if "accuracy" in name] == ["test_accuracy"]
    assert read_final(tmp_path) == final
    assert facts(found.evaluations) == facts(
        searched(tiny, tmp_path / "plain", None, 0, None).evaluations
    )
    assert not (tmp_path / "plain" / "final").exists()


def test_it_learns_from_the_validation_samples(tiny: Make, tmp_path: Path, tiny_task: Task) -> None:
    both, split = tiny_task.with_validation().train, tiny_task.validation
    assert torch.equal(both.inputs[60:], split.inputs)
    turned = dataclasses.replace(split, labels=(split.labels + 1) % 3)
    other = dataclasses.replace(tiny_task, validation=turned)
    packed = []
    for name, task in (("a", tiny_task), ("b", other)):
        experiment = tiny(trials=1, final_epochs=4, task=task)
        found = run(experiment, tmp_path / name)
        assert found.final is not None
        packed.append(packed_path(tmp_path / name / "final", found.final.id).read_bytes())
    assert packed[0] != packed[1]


def test_without_second_trainings_the_best_of_the_search_is_taken(
    tiny: Make, tmp_path: Path
) -> None:
    found = searched(tiny, tmp_path, retrain=0)
    assert found.best is not None
    assert found.final is not None
    assert found.final.id == found.best.id
    assert found.retrained == ()


def test_it_is_told_and_exported_in_every_format(tiny: Make, tmp_path: Path) -> None:
    found = searched(tiny, tmp_path).final
    assert found is not None
    told = summary(tmp_path)["final"]
    assert told == {
        "id": found.id,
        "design": dict(found.design),
        "status": "OK",
        "metrics": dict(found.metrics),
        "reason": "",
        "epochs": 4,
    }
    size, tested = found.metrics["size_bytes"], found.metrics["test_accuracy"]
    assert (
        f"final network: number {found.id}, trained for 4 epochs on training and validation samples: "
        f"{size:.0f} bytes, test accuracy {tested:.4f}\n" in shown(tmp_path)
    )
    for to in ("packed", "onnx", "torch"):
        assert export(tmp_path, "final", to, tmp_path / f"a.{to}").evaluation == found
    program, test = unpack((tmp_path / "a.packed").read_bytes()), tiny().task.test
    assert score(program, test) == tested
    said = run_onnx(onnx.load(tmp_path / "a.onnx"), test.inputs.numpy()).argmax(1)
    assert np.mean(said == test.labels.numpy()) == tested
    assert json.loads((tmp_path / "a.torch.json").read_text())["metrics"] == found.metrics
    assert "head.weight" in load_file(tmp_path / "a.torch")


def test_the_same_command_trains_nothing_and_other_epochs_train_again(
    tiny: Make, tmp_path: Path
) -> None:
    seen: Seen = []
    first = searched(tiny, tmp_path, seen)
    before = files(tmp_path)
    # Each retrained one and the final one, before each of their epochs.
    assert [(each.done, each.epochs) for each in seen] == 3 * [(n, 4) for n in range(4)]
    again, other = (e.id for e in sorted(first.retrained, key=first_place(first)))
    assert first.final is not None
    assert list(dict.fromkeys(each.what for each in seen)) == [
        f"number {again} again, 1 of 2",
        f"number {other} again, 2 of 2",
        f"number {first.final.id} on training and validation samples",
    ]
    seen.clear()
    assert searched(tiny, tmp_path, seen) == first
    assert seen == []
    assert files(tmp_path) == before
    longer = searched(tiny, tmp_path, seen, epochs=6)
    assert len(seen) == 3 * 6
    assert [e.epochs for e in longer.retrained] == [6, 6]
    # What was trained for other epochs is forgotten, so that like is compared with like.
    fewer = searched(tiny, tmp_path, retrain=1, epochs=4)
    assert [e.epochs for e in fewer.retrained] == [4]
    one = {e.id: e for e in first.retrained}[fewer.retrained[0].id]
    assert facts(fewer.retrained) == facts([one])
    assert fewer.final is not None
    assert summary(tmp_path)["chosen_test_accuracy"] == pytest.approx(
        score(
            unpack(packed_path(tmp_path / "retrained", fewer.final.id).read_bytes()),
            tiny().task.test,
        )
    )


def first_place(found: RunResult) -> Callable[[Evaluation], tuple[float, float]]:
    """Best first, as the search ranks them."""
    metrics = [e.metrics for e in found.evaluations]
    return lambda e: (-metrics[e.id]["accuracy"], metrics[e.id]["size_bytes"])


def test_what_a_kill_left_behind_is_trained_as_before(tiny: Make, tmp_path: Path) -> None:
    found = searched(tiny, tmp_path)
    before = {path: data for path, (_, data) in files(tmp_path).items() if path.suffix == ".nas"}
    (tmp_path / "final" / "final.json").unlink()
    again = searched(tiny, tmp_path)
    assert found.final is not None
    assert again.final is not None
    assert facts([again.final]) == facts([found.final])
    assert all(path.read_bytes() == data for path, data in before.items())


def linear(example: Tensor, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(example[0].numel(), classes))


def test_the_teacher_of_the_search_answers_all_samples(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs: list[int] = []

    def counted(*parts: Any, **options: Any) -> tuple[Epoch, ...]:
        epochs.append(options["epochs"])
        return fit(*parts, **options)

    monkeypatch.setattr("nas.runs.teacher.fit", counted)
    experiment = tiny(trials=1, final_epochs=2, teacher=Teacher(build=linear, epochs=3))
    found = run(experiment, tmp_path)
    assert found.final is not None
    assert found.final.status is Status.OK
    assert epochs == [3]  # trained once, on the training split


def test_what_cannot_be_final_is_refused(tiny: Make, tmp_path: Path) -> None:
    for change, message in (
        ({"final_epochs": 0}, "final_epochs must be at least 1, but got 0"),
        (
            {"final_epochs": 3, "recipe": Recipe(epochs=0, finetune_epochs=0)},
            "a recipe must have epochs to be trained for 3 of them, but has none",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            tiny(**change)
    found = searched(tiny, tmp_path, retrain=0, epochs=None)
    with pytest.raises(ValueError, match="must hold a final network, but holds none: run it with"):
        export(tmp_path, "final", "packed", tmp_path / "a.nas")
    # As training gives it to networks that come trained, whose files can become longer.
    over = dataclasses.replace(
        found.evaluations[0],
        status=Status.OVER_BUDGET,
        reason="size_bytes 9 > 5 when trained",
        epochs=4,
    )
    (tmp_path / "final").mkdir()
    write_evaluation(tmp_path / "final" / "final.json", over)
    with pytest.raises(ValueError, match="is OVER_BUDGET: size_bytes 9 > 5 when trained"):
        export(tmp_path, "final", "packed", tmp_path / "a.nas")
    assert not (tmp_path / "a.nas").exists()
    assert "cannot be shipped: it is OVER_BUDGET, size_bytes 9 > 5 when trained" in shown(tmp_path)
    (tmp_path / "final" / "final.json").write_text("{")
    with pytest.raises(RunDirectoryError, match=r"final.json must hold an evaluation, but is dam"):
        summary(tmp_path)


@pytest.mark.parametrize("taught", [False, True])
def test_a_search_on_fewer_samples_trains_its_best_on_all(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taught: bool
) -> None:
    trained_on = list[int]()

    def recorded(model: nn.Module, task: Task, *given: Any, **named: Any) -> Any:
        trained_on.append(len(task.train.labels))
        return fit(model, task, *given, **named)

    def build(example: Tensor, classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(16, classes))

    monkeypatch.setattr("nas.evaluation.candidate_training.fit", recorded)
    teacher = Teacher(build=build, epochs=0) if taught else None
    experiment = tiny(trials=2, retrain=1, final_epochs=4, samples=20, teacher=teacher)
    assert experiment.describe()["samples"] == 20
    assert "samples" not in tiny().describe()
    run(experiment, tmp_path)
    searched_on, again = trained_on[:-4], trained_on[-4:]
    assert set(searched_on) == {20}
    assert again == [60, 60, 90, 90], "both phases of the best, and of the final network"
    with pytest.raises(ValueError, match="samples must be at least 1, but got 0"):
        tiny(samples=0)
