from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.trained.cases import Case
from benchmarks.trained.floats import epoch_seconds, floating, trained
from nas.data import Task
from nas.training.fit import accuracy
from nas.training.recipe import Recipe


def _network(channels: int, classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, classes),
    )


@pytest.fixture
def case(tiny_task: Task) -> Case:
    read: Callable[[Path], Task] = lambda _: tiny_task  # noqa: E731
    return Case(_network, read, Recipe(epochs=8, batch_size=10, lr=0.02), (500,), samples=50)


def test_a_case_has_the_first_training_images_only(case: Case, tiny_task: Task) -> None:
    task = case.task(Path())
    assert torch.equal(task.train.inputs, tiny_task.train.inputs[:50])
    assert len(task.test.labels) == len(tiny_task.test.labels)
    assert len(tiny_task.first(None).train.labels) == 60


def test_a_network_is_read_as_it_was_trained(case: Case, tiny_task: Task, tmp_path: Path) -> None:
    path = tmp_path / "weights" / "tiny.safetensors"
    made, read = (floating(case, tiny_task, 0, path) for _ in range(2))
    assert accuracy(made, tiny_task.test) > 0.8
    assert torch.equal(made(tiny_task.test.inputs), read(tiny_task.test.inputs))
    assert torch.equal(
        trained(case, tiny_task, 0)(tiny_task.test.inputs), read(tiny_task.test.inputs)
    )
    other = floating(case, tiny_task, 1, None)
    assert not torch.equal(other(tiny_task.test.inputs), read(tiny_task.test.inputs))


def test_weights_of_another_training_are_refused(
    case: Case, tiny_task: Task, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.safetensors"
    floating(case, tiny_task, 0, path)
    for task, seed in ((tiny_task, 1), (tiny_task.first(50), 0)):
        with pytest.raises(ValueError, match="must hold weights made by"):
            floating(case, task, seed, path)


def test_an_epoch_takes_processor_time(case: Case, tiny_task: Task) -> None:
    assert epoch_seconds(case, tiny_task, 0) > 0
