import dataclasses
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.data import Split, Task
from nas.experiment import Experiment
from nas.objective import Budget, Objective
from nas.space import Choice, Choices, Design
from nas.threads import one_thread
from nas.training.recipe import Recipe
from strategies.random_search import RandomSearch


def pytest_configure(config: pytest.Config) -> None:
    """One thread, as in a run: two that wait for each other on busy cores take ten times as long."""
    threads = ExitStack()
    threads.enter_context(one_thread())
    config.add_cleanup(threads.close)


class TinySpace:
    """One hidden layer; 39 networks of 73 to 298 bytes."""

    choices = Choices(
        [
            Choice("", "depth", (1, 2)),
            Choice("hidden", "width", (2, 4, 8), ("depth", frozenset({2}))),
            Choice("hidden", "bits", (2, 4, 6, 8), ("depth", frozenset({2}))),
            Choice("head", "bits", (2, 4, 8)),
        ]
    )

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        model, features = nn.Sequential(nn.Flatten()), example[0].numel()
        if design["depth"] == 2:
            width = design.integer("hidden.width")
            model.add_module("hidden", nn.Linear(features, width))
            model.add_module("relu", nn.ReLU())
            features = width
        model.add_module("head", nn.Linear(features, classes))
        return model


def blobs(count: int, seed: int) -> Split:
    """Three classes of noisy 4x4 images, each bright in rows of its own."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    inputs = 0.5 * torch.rand(count, 1, 4, 4, generator=generator)
    inputs[torch.arange(count), 0, labels] += 0.5
    return Split(inputs, labels)


@pytest.fixture(scope="session")
def tiny_task() -> Task:
    return Task(
        name="blobs", train=blobs(60, 0), validation=blobs(30, 1), test=blobs(30, 2), classes=3
    )


@pytest.fixture
def tiny(tiny_task: Task) -> Callable[..., Experiment]:
    """An experiment whose candidates train in milliseconds; keywords replace its parts."""

    def make(limits: Mapping[str, float] | None = None, **parts: Any) -> Experiment:
        experiment = Experiment(
            space=TinySpace(),
            compressors=(Quantization(),),
            task=tiny_task,
            recipe=Recipe(epochs=1, finetune_epochs=1, batch_size=10, lr=0.03, finetune_lr=0.03),
            objective=Objective(
                maximize=("accuracy",), minimize=("size_bytes",), budget=Budget(limits or {})
            ),
            strategy=RandomSearch,
            trials=6,
            seed=0,
        )
        return dataclasses.replace(experiment, **parts)

    return make


Arrays = dict[str, NDArray[Any]]


@pytest.fixture
def arrays() -> Arrays:
    """A made-up table of 3 · 4 · 2 designs: accuracy grows with the genes, and so do cost and
    latency.
    """
    ops = np.array([*product(range(3), range(4), range(2))], np.int8)
    worth = ops @ np.array([8.0, 2.0, 1.0])
    return {
        "ops": ops,
        "val_acc_2ep": 40 + worth,
        "test_acc_9ep": 60 + worth,
        "train_seconds_2ep": 10.0 + ops[:, 0],
        "params": 100 * (1 + ops.sum(1)),
        "latency_ms_board": 1.0 + ops[:, 1],
    }


@pytest.fixture
def path(tmp_path: Path, arrays: Arrays) -> Path:
    np.savez(tmp_path / "made_up.npz", allow_pickle=False, **arrays)
    return tmp_path / "made_up.npz"
