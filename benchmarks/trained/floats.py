"""The networks trained in floats, or read from a file of weights."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import nn

from benchmarks.trained import networks, tasks
from nas import durable
from nas.data import Split, Task
from nas.seeds import seeded
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe

FEW = 256


@dataclass(frozen=True)
class Case:
    """A network, its data and how it is trained.

    Args:
        build: the network of a number of channels and of classes
        read: the task in a folder
        recipe: how it is trained in floats, and, when it is quantized, trained on
        sizes: budgets in bytes to compress it to
        samples: how many training images there are at most; None: all
    """

    build: Callable[[int, int], nn.Module]
    read: Callable[[Path], Task]
    recipe: Recipe
    sizes: tuple[int, ...]
    samples: int | None = None

    def task(self, folder: Path) -> Task:
        """The task, with the first training images."""
        return first(self.read(folder), self.samples)


CASES = {
    "resnet8": Case(
        networks.resnet8,
        tasks.fashion_mnist,
        Recipe(epochs=12, finetune_epochs=4, finetune_lr=2e-3),
        (19_884, 13_250),
        12_000,
    ),
    "lenet_300_100": Case(
        networks.lenet_300_100,
        tasks.fashion_mnist,
        Recipe(epochs=10, finetune_epochs=4, batch_size=128, lr=2e-3, finetune_lr=2e-3),
        (40_000, 20_000),
    ),
    "mobilenet_v2": Case(
        networks.mobilenet_v2,
        tasks.cifar10_jpeg,
        Recipe(epochs=6, finetune_epochs=4, batch_size=128, finetune_lr=2e-3),
        (44_000, 29_000),
    ),
    "resnet18": Case(
        networks.resnet18,
        tasks.cifar10_jpeg,
        Recipe(epochs=7, finetune_epochs=4, batch_size=128, finetune_lr=2e-3),
        (175_000, 118_000),
    ),
}


def first(task: Task, samples: int | None) -> Task:
    """The task with its first `samples` training images."""
    train = Split(task.train.inputs[:samples], task.train.labels[:samples])
    return replace(task, train=train)


def trained(case: Case, task: Task, seed: int) -> nn.Module:
    """The network, trained in floats."""
    with seeded(seed):
        model = case.build(task.example.shape[1], task.classes)
    shuffle, recipe = torch.Generator().manual_seed(seed), case.recipe
    fit(
        model,
        task,
        recipe,
        epochs=recipe.epochs,
        lr=recipe.lr,
        loss=cross_entropy,
        generator=shuffle,
    )
    return model.eval()


def floating(case: Case, task: Task, seed: int, path: Path | None) -> nn.Module:
    """The trained network; from the file at `path` if there is one, and else written there.

    Raises:
        ValueError: if the file is from another training: of other data, epochs or seed.
    """
    if path is None:
        return trained(case, task, seed)
    made_by = {"seed": str(seed), "task": task.digest, "recipe": repr(case.recipe)}
    if path.exists():
        if (found := _metadata(path)) != made_by:
            raise ValueError(f"{path} must hold weights made by {made_by}, but made by {found}")
        model = case.build(task.example.shape[1], task.classes)
        model.load_state_dict(load_file(path))
        # As training leaves it, because other formats round differently.
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return model.eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    model = trained(case, task, seed)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    durable.write(path, save(state, made_by))
    return model


def _metadata(path: Path) -> dict[str, str] | None:
    with safe_open(path, "pt") as file:
        metadata: dict[str, str] | None = file.metadata()
    return metadata


def lightly_validated(task: Task) -> Task:
    """The task with few validation images, for trainings of which nothing is chosen by them."""
    few = Split(task.validation.inputs[:FEW], task.validation.labels[:FEW])
    return replace(task, validation=few)


def epoch_seconds(case: Case, task: Task, seed: int) -> float:
    """The processor time that an epoch of training in floats takes here and now, in seconds."""
    once, task = replace(case, recipe=replace(case.recipe, epochs=1)), lightly_validated(task)
    # The first steps of a process take seconds of imports and of set-up.
    trained(once, first(task, 2 * case.recipe.batch_size), seed)
    start = time.process_time()
    trained(once, task, seed)
    return time.process_time() - start
