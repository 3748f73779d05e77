"""A trained network of two layers as a space of bit-widths."""

import torch
from torch import nn

from nas.data import Task
from nas.seeds import seeded
from nas.space import Choice, Choices
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe
from search_spaces.trained_network import TrainedNetwork

BITS = (1, 2, 3, 4, 6, 8)
CHOICES = Choices([Choice("hidden", "bits", BITS), Choice("head", "bits", BITS)])
FINETUNING = Recipe(epochs=0, finetune_epochs=1, batch_size=10, finetune_lr=0.05)


def trained_network(task: Task, width: int = 32) -> nn.Module:
    """A network whose hidden weights are mostly 0, so that training makes its file longer."""
    with seeded(0):
        model = nn.Sequential(nn.Flatten())
        model.add_module("hidden", nn.Linear(16, width))
        model.add_module("relu", nn.ReLU())
        model.add_module("head", nn.Linear(width, 3))
    recipe = Recipe(batch_size=10)
    shuffle = torch.Generator().manual_seed(0)
    fit(model, task, recipe, epochs=6, lr=0.01, loss=cross_entropy, generator=shuffle)
    with torch.no_grad():
        weight = model.get_parameter("hidden.weight")
        weight[weight.abs() < weight.abs().quantile(0.8)] = 0
    return model


def trained_space(task: Task, choices: Choices = CHOICES) -> TrainedNetwork:
    return TrainedNetwork(trained_network(task), choices)
