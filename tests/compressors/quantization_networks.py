"""A network to quantize, and its images."""

import torch
from torch import Tensor, nn

from nas.seeds import seeded


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network() -> nn.Sequential:
    with seeded(0):
        model = nn.Sequential()
        model.add_module("a", nn.Conv2d(2, 4, 3, bias=False))
        model.add_module(
            "b", nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.Flatten())
        )
        model.add_module("head", nn.Linear(48, 3))
        return model


IMAGES = noise(8, 2, 6, 6)
