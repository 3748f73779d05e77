"""Networks whose weights are pruned, and their training."""

import torch
from torch import Tensor, nn

from nas.data import Task
from nas.seeds import seeded
from nas.space import Choice, Choices, Design
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe

IMAGES = torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))


RECIPE = Recipe(batch_size=10, lr=0.02)


def network() -> nn.Sequential:
    with seeded(0):
        model = nn.Sequential()
        layers: dict[str, nn.Module] = {
            "a": nn.Conv2d(1, 8, 3, bias=False),
            "norm": nn.BatchNorm2d(8),
            "relu": nn.ReLU(),
        }
        layers |= {
            "b": nn.Conv2d(8, 8, 1),
            "act": nn.ReLU(),
            "flatten": nn.Flatten(),
            "head": nn.Linear(32, 3),
        }
        for name, layer in layers.items():
            model.add_module(name, layer)
    return model


def weights(model: nn.Module, name: str) -> Tensor:
    return model.get_parameter(f"{name}.weight").detach()


def train(model: nn.Module, task: Task, epochs: int = 3) -> None:
    fit(
        model,
        task,
        RECIPE,
        epochs=epochs,
        lr=RECIPE.lr,
        loss=cross_entropy,
        generator=torch.Generator().manual_seed(0),
    )


class Space:
    """A network with a hidden layer of 64 units, with or without a mask."""

    choices = Choices(
        [
            Choice("hidden", "sparsity", (0.0, 0.9)),
            Choice("hidden", "bits", (4,)),
            Choice("head", "bits", (8,)),
        ]
    )

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        model = nn.Sequential(nn.Flatten())
        model.add_module("hidden", nn.Linear(example[0].numel(), 64))
        model.add_module("relu", nn.ReLU())
        model.add_module("head", nn.Linear(64, classes))
        return model
