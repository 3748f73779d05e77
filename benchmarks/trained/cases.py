"""The networks with their data, how they are trained, and what they are compressed to."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from benchmarks.trained import networks, tasks
from nas.data import Task
from nas.training.recipe import Recipe


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
        return self.read(folder).first(self.samples)


CASES = {
    "resnet8": Case(
        networks.resnet8,
        tasks.fashion_mnist,
        Recipe(epochs=12, finetune_epochs=8, finetune_lr=5e-3),
        (13_250, 9_942, 8_000, 4_000),
        12_000,
    ),
    "lenet_300_100": Case(
        networks.lenet_300_100,
        tasks.fashion_mnist,
        Recipe(epochs=10, finetune_epochs=20, batch_size=128, lr=2e-3, finetune_lr=2e-3),
        (11_800,),
    ),
    "mobilenet_v2": Case(
        networks.mobilenet_v2,
        tasks.cifar10_jpeg,
        Recipe(epochs=6, finetune_epochs=4, batch_size=128, finetune_lr=5e-3),
        (42_600,),
    ),
    "resnet18": Case(
        networks.resnet18,
        tasks.cifar10_jpeg,
        Recipe(epochs=7, finetune_epochs=4, batch_size=128, finetune_lr=5e-3),
        (175_000,),
    ),
}
