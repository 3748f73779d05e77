"""A search for the best joint compression of a trained network within a budget."""

from pathlib import Path

import torch
from torch import Tensor, nn

from compressors.joint import JOINT_COMPRESSORS, joint_choices
from nas.data import Task
from nas.data import digits as read_digits
from nas.experiment import Experiment
from nas.objective import Budget, Objective
from nas.seeds import derive, generator, seeded
from nas.threads import one_thread
from nas.training import checkpoint as weights
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe
from search_spaces.trained_network import TrainedNetwork
from strategies.names import StrategyName, strategy_class


def compression(
    strategy: StrategyName = "evolution",
    trials: int = 120,
    size_bytes: int | None = 3000,
    macs: int | None = None,
    peak_memory_bytes: int | None = None,
    weights_file: Path | None = None,
    width: int = 32,
    epochs: int = 16,
    finetune_epochs: int = 8,
    seed: int = 0,
) -> Experiment:
    """Trains a residual network on scikit-learn's 8x8 handwritten digits, and searches for its best
    compression.

    Args:
        strategy: search strategy; tpe and gp need the extra optuna
        trials: number of candidates to compress and fine-tune
        size_bytes: largest size of the packed file, in bytes
        macs: largest number of multiply-accumulates for one image
        peak_memory_bytes: largest peak memory of activations, in bytes
        weights_file: file with the weights of the trained network, as nas.training.checkpoint.save
            writes it; without it, the network is trained first
        width: channels of the network
        epochs: epochs of training the network, if there is no file
        finetune_epochs: training epochs after compression
        seed: seed of the search and of training; the split of the data is fixed
    """
    task = read_digits(generator(0, "digits"))
    limits = {"size_bytes": size_bytes, "macs": macs, "peak_memory_bytes": peak_memory_bytes}
    model = trained(task, width, epochs, weights_file, seed)
    return Experiment(
        space=TrainedNetwork(model, joint_choices(model, task.example)),
        compressors=JOINT_COMPRESSORS,
        task=task,
        recipe=Recipe(epochs=0, finetune_epochs=finetune_epochs, finetune_lr=5e-3),
        objective=Objective(
            maximize=("accuracy",),
            minimize=("size_bytes",),
            budget=Budget({name: limit for name, limit in limits.items() if limit is not None}),
        ),
        strategy=strategy_class(strategy),
        trials=trials,
        seed=seed,
    )


def trained(task: Task, width: int, epochs: int, weights_file: Path | None, seed: int) -> nn.Module:
    """The residual network with the weights of the file, or else trained on one thread, so that its
    weights do not depend on the number of cores.

    Raises:
        ValueError: if the file is missing, damaged, or of another network.
    """
    chosen = derive(seed, "trained")
    with seeded(chosen):
        model = residual_network(task, width)
    if weights_file is not None:
        if not weights.load(model, weights_file):
            raise ValueError(
                f"{weights_file} must hold weights of the network, but is missing, damaged or of another network"
            )
        return model
    recipe = Recipe(epochs=epochs, finetune_epochs=0)
    with one_thread():
        shuffle = torch.Generator().manual_seed(chosen)
        fit(model, task, recipe, epochs=epochs, lr=recipe.lr, loss=cross_entropy, generator=shuffle)
    return model


class Block(nn.Module):
    """A residual block of two 3x3 convolutions (He et al., 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.act1, self.act2 = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] to the same shape."""
        y = self.norm2(self.second(self.act1(self.norm1(self.first(x)))))
        result: Tensor = self.act2(x + y)
        return result


def residual_network(task: Task, width: int) -> nn.Module:
    """A stem, three residual blocks with pooling between them, and a head; randomly initialized."""
    model = nn.Sequential()
    stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
    model.add_module("stem", nn.Sequential(stem, nn.BatchNorm2d(width), nn.ReLU()))
    for number in range(3):
        model.add_module(f"block{number}", Block(width))
        if number < 2:
            model.add_module(f"pool{number}", nn.MaxPool2d(2))
    model.add_module("mean", nn.AdaptiveAvgPool2d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(width, task.classes))
    return model


if __name__ == "__main__":
    from nas.cli.main import run_script

    run_script(compression)
