"""Programs of small networks of random weights."""

import torch
from torch import nn

from compressors import quantize
from nas.lowering import lower
from nas.program.program import Program
from nas.seeds import seeded


def convolutional(bits: int = 4) -> Program:
    """A network for images of 8 x 8 pixels: few channels, single pixels, depthwise, a matrix."""
    with seeded(0):
        model = nn.Sequential(
            *(nn.Conv2d(1, 9, 3, 1, 1), nn.ReLU(), nn.Conv2d(9, 9, 3, 2, 1, groups=9), nn.ReLU()),
            *(nn.Conv2d(9, 17, 1), nn.ReLU(), nn.Conv2d(17, 6, 3, 1, 1), nn.ReLU()),
            *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 10)),
        )
    return _lowered(model, (1, 8, 8), bits)


def few_channels() -> Program:
    """The same kinds of layers in less than a kilobyte of memory."""
    with seeded(0):
        model = nn.Sequential(
            *(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 1, 1, groups=4), nn.ReLU()),
            *(nn.Conv2d(4, 16, 1), nn.ReLU(), nn.Conv2d(16, 5, 3, 2, 1), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(20, 10)),
        )
    return _lowered(model, (1, 8, 8), 4)


def perceptron(bits: int = 8) -> Program:
    """A perceptron of two layers for vectors of 64."""
    with seeded(0):
        model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    return _lowered(model, (64,), bits)


def _lowered(model: nn.Module, shape: tuple[int, ...], bits: int) -> Program:
    samples = torch.rand(32, *shape, generator=torch.Generator().manual_seed(0))
    return lower(quantize(model.eval(), bits, samples), samples)
