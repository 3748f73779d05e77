"""A space that keeps its contract, ways to break it, and the check of both."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.space import Choice, Choices, Design
from nas.testing.space import check_space

EXAMPLE = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))


class Space:
    """A hidden layer or none; keeps the contract."""

    choices: Any = Choices(
        [
            Choice("", "depth", (1, 2)),
            Choice("hidden", "width", (4, 8), ("depth", frozenset({2}))),
            Choice("hidden", "bits", (4, 8), ("depth", frozenset({2}))),
            Choice("head", "bits", (2, 8)),
        ]
    )

    def build(self, design: Design, example: Tensor, classes: int) -> Any:
        features = example[0].numel()
        model = nn.Sequential(nn.Flatten())
        if design["depth"] == 2:
            width: Any = design["hidden.width"]
            model.add_module("hidden", nn.Linear(features, width, bias=False))
            model.add_module("norm", nn.BatchNorm1d(width))
            model.add_module("relu", nn.ReLU())
            features = width
        model.add_module("head", nn.Linear(features, classes))
        return model


class Wrapped(nn.Module):
    """Something done before and after a network."""

    def __init__(self, inner: nn.Module, **parts: nn.Module) -> None:
        super().__init__()
        for name, child in inner.named_children():
            self.add_module(name, child)
        for name, part in parts.items():
            self.add_module(name, part)
        self.names = [name for name, _ in inner.named_children()]

    def inner(self, x: Tensor) -> Tensor:
        for name in self.names:
            x = self.get_submodule(name)(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def built(change: Callable[[nn.Sequential, Design], Any]) -> Space:
    """A space whose networks are changed after they are built."""

    class Changed(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> Any:
            return change(super().build(design, example, classes), design)

    return Changed()


def run(forward: Callable[[Wrapped, Tensor], Any], **parts: nn.Module) -> Space:
    """A space whose networks run otherwise."""

    class Other(Wrapped):
        def forward(self, x: Tensor) -> Any:
            return forward(self, x)

    def change(model: nn.Sequential, design: Design) -> nn.Module:
        return Other(model, **parts)

    return built(change)


def chosen(*choices: Choice) -> Space:
    space = Space()
    space.choices = Choices([*Space.choices, *choices])
    return space


def check(space: Any, seed: int = 0, compressors: tuple[Any, ...] = (Quantization(),)) -> None:
    check_space(space, EXAMPLE, 3, np.random.default_rng(seed), compressors)


def breach(space: Any, message: str) -> None:
    for seed in range(3):
        with pytest.raises(AssertionError, match=message):
            check(space, seed)
