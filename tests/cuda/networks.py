"""Networks and tasks that take a GPU little time."""

from functools import partial

import torch
from torch import Tensor, nn

from compressors import ChannelPruning, Quantization
from nas import Experiment, Recipe
from nas.data import digits as read_digits
from nas.objective import Objective
from nas.seeds import generator
from nas.training.accelerator import Accelerator
from nas.training.distil import Teacher
from search_spaces import ConvStages
from strategies import RandomSearch

RECIPE = Recipe(epochs=2, finetune_epochs=1)
TASK = read_digits(generator(0, "digits"))


class Residual(nn.Module):
    """Two branches, one of them depthwise, and their sum."""

    def __init__(self, dropout: float, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.branch = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.Hardswish(),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.rest = nn.Sequential(
            nn.ReLU(), nn.AvgPool2d(2), nn.Dropout(dropout), nn.Flatten(), nn.Linear(16 * width, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        result: Tensor = self.rest(x + self.branch(x))
        return result


def residual(seed: int = 0, dropout: float = 0.0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return Residual(dropout)


def _teacher(example: Tensor, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, classes))


def experiment(accelerator: Accelerator = "cuda", trials: int = 3) -> Experiment:
    return Experiment(
        space=ConvStages(),
        narrowing=(ChannelPruning(),),
        compressors=(Quantization(),),
        task=TASK,
        recipe=RECIPE,
        objective=Objective(minimize=("size_bytes",)),
        strategy=RandomSearch,
        trials=trials,
        seed=0,
        teacher=Teacher(build=_teacher, epochs=2),
        accelerator=accelerator,
    )


source = partial(experiment)
"""Makes the experiment in other processes."""
