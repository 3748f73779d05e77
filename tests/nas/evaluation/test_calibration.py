"""Calibration must not depend on the order of the rows: many data sets are sorted by class, or by
session.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compressors.allocation.compress_to import compress_to
from compressors.post_training import PostTraining
from compressors.quantization import quantize
from compressors.reconstruction import reconstruct
from nas.data import Split, Task, split
from nas.evaluation import Evaluator
from nas.evaluation.evaluator import CALIBRATION_SAMPLES
from nas.experiment import Experiment
from nas.measure.sensitivity import sensitivity
from nas.objective import Budget, Evaluation
from nas.runs.directory import RunDirectoryError
from nas.runs.journal import open_journal
from nas.runs.run import run
from nas.space import Choice, Choices
from nas.strategy import Proposal
from nas.training.fit import accuracy, cross_entropy, fit
from nas.training.recipe import Recipe
from search_spaces.trained_network import TrainedNetwork

CLASSES = 4


def lights(shuffled: bool = False, gains: tuple[float, ...] = (0.05, 0.1, 0.5, 1.0)) -> Task:
    """Four patterns of 8 by 8, each with a brightness of its own, sorted by class."""
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(CLASSES), 300)
    pixels = rng.random((CLASSES, 1, 8, 8))[labels] + rng.normal(0, 0.02, (1200, 1, 8, 8))
    pixels *= np.array(gains)[labels][:, None, None, None]
    if shuffled:
        order = rng.permutation(1200)
        pixels, labels = pixels[order], labels[order]
    data = Split(torch.from_numpy(pixels.astype(np.float32)), torch.from_numpy(labels))
    return split("light", data, CLASSES, np.random.default_rng(1))


def sessions() -> Task:
    """Two classes in turn, whose rows were measured by a sensor that drifts from 0 to 20."""
    rng, labels = np.random.default_rng(0), np.arange(1200) % 2
    rows = rng.normal(0, 0.1, (1200, 4)) + (2 * labels - 1)[:, None] * np.array([1, -1, 1, -1])
    rows += np.linspace(0, 20, 1200)[:, None]
    data = Split(torch.from_numpy(rows.astype(np.float32)), torch.from_numpy(labels))
    return split("sessions", data, 2, np.random.default_rng(1))


def trained(task: Task) -> nn.Sequential:
    torch.manual_seed(0)
    if task.example.ndim == 2:
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    else:
        model = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, task.classes)
        )
    shuffle = torch.Generator().manual_seed(0)
    fit(model, task, Recipe(), epochs=30, lr=5e-3, loss=cross_entropy, generator=shuffle)
    return model


def evaluator(model: nn.Module, task: Task, seed: int = 0) -> Evaluator:
    sites = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    space = TrainedNetwork(model, Choices([Choice(site, "bits", (8,)) for site in sites]))
    return Evaluator(
        space=space,
        compressors=(PostTraining(),),
        task=task,
        recipe=Recipe(epochs=0, finetune_epochs=0),
        budget=Budget({}),
        device=None,
        loss=cross_entropy,
        seed=seed,
    )


def evaluated(model: nn.Module, task: Task) -> Evaluation:
    found = evaluator(model, task)
    return found(0, Proposal((0,) * len(found.space.choices)))[0]


@pytest.mark.parametrize(
    "task",
    [lights(True), lights(), lights(gains=(1.0, 0.5, 0.1, 0.05)), sessions()],
    ids=["shuffled", "sorted by class", "brightest first", "sorted by session"],
)
def test_quantization_keeps_the_accuracy_whatever_the_order_of_the_rows(task: Task) -> None:
    model = trained(task)
    found = evaluated(model, task).metrics
    assert found["accuracy"] > accuracy(model, task.validation) - 0.02
    assert 0.98 < found["calibration_coverage"] <= 1.0


def test_every_class_is_calibrated_on_and_the_seed_draws() -> None:
    task = lights()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, CLASSES))
    drawn = evaluator(model, task).calibration
    assert len(drawn) == CALIBRATION_SAMPLES
    flat = task.train.inputs.flatten(1)
    rows = [int((flat == one).all(1).nonzero()[0]) for one in drawn.flatten(1)]
    assert torch.bincount(task.train.labels[rows]).tolist() == [64] * CLASSES
    assert torch.equal(drawn, evaluator(model, task).calibration)
    assert not torch.equal(drawn, evaluator(model, task, seed=1).calibration)


def test_few_samples_are_all_calibrated_on_and_no_others_tell_the_coverage(
    tiny: Callable[..., Experiment], tiny_task: Task
) -> None:
    found = tiny().evaluator(cross_entropy)
    assert torch.equal(found.calibration, tiny_task.train.inputs)
    assert "calibration_coverage" not in found(0, Proposal((0, 0, 0, 0)))[0].metrics


def test_the_header_says_what_was_drawn_so_that_older_runs_are_not_mixed(
    tiny: Callable[..., Experiment], tmp_path: Path
) -> None:
    assert "samples_drawn" not in tiny().describe()
    assert tiny(samples=30).describe()["samples_drawn"] == "by class"
    experiment = tiny(task=lights(), trials=1)
    described = experiment.describe()
    assert described["samples_drawn"] == "by class"
    older = {name: part for name, part in described.items() if name != "samples_drawn"}
    with open_journal(tmp_path / "run", older):
        pass
    with pytest.raises(RunDirectoryError, match="samples_drawn was None and is 'by class'"):
        run(experiment, tmp_path / "run")


def test_a_search_on_fewer_samples_has_all_classes(tiny: Callable[..., Experiment]) -> None:
    drawn = tiny(task=lights(), samples=40).search_task.train
    assert torch.bincount(drawn.labels).tolist() == [10] * CLASSES
    again, other = (tiny(task=lights(), samples=40, seed=seed).search_task.train for seed in (0, 1))
    assert torch.equal(drawn.inputs, again.inputs)
    assert not torch.equal(drawn.inputs, other.inputs)


def test_networks_are_compressed_by_images_of_all_classes() -> None:
    task = lights()
    model = trained(task)
    for labels in (task.train.labels, None):
        found = compress_to(
            model,
            size_bytes=1500,
            images=task.train.inputs,
            labels=labels,
            generator=torch.Generator().manual_seed(0),
            recipe=Recipe(epochs=0, finetune_epochs=1),
        )
        assert accuracy(found.model, task.validation) > 0.95


def test_what_takes_some_images_takes_them_of_all_classes() -> None:
    task = lights()
    model, images = trained(task), task.train.inputs.repeat_interleave(2, 0)
    quantized = quantize(model, 4, images)
    shuffle = torch.Generator().manual_seed(0)
    made = reconstruct(quantized, model, images, generator=shuffle, steps=0)
    assert accuracy(made, task.validation) > 0.95
    rows = sensitivity(model, task.train, (8,))
    assert min(row[8].accuracy for row in rows.values()) > 0.95
