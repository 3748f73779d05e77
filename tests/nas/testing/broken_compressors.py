"""A compressor that keeps its contract, ways to break it, and the check of both."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.layers import layers_at
from nas.space import Choice, Choices, Design
from nas.testing.compressor import check_compressor

EXAMPLE = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(0))


class Space:
    """Two layers, each with a gain; keeps the contract."""

    choices = Choices([Choice("hidden", "gain", (0.5, 2.0)), Choice("head", "gain", (0.5, 2.0))])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        model = nn.Sequential(nn.Flatten())
        model.add_module("hidden", nn.Linear(example[0].numel(), 8))
        model.add_module("norm", nn.BatchNorm1d(8))
        model.add_module("relu", nn.ReLU())
        model.add_module("head", nn.Linear(8, classes))
        return model


class Gained(nn.Sequential):
    """A linear layer times a number that is stored with it."""

    gain: Tensor

    def __init__(self, layer: nn.Linear, gain: float) -> None:
        super().__init__(with_weights(layer, gain * layer.weight))
        self.register_buffer("gain", torch.tensor(gain))


class Gain:
    """Multiplies the outputs of layers by the chosen gain; keeps the contract."""

    kind: Any = "gain"

    def check(self, gain: Any, site: str) -> float:
        if not isinstance(gain, float):
            raise ValueError(f"a gain must be a number, but got {gain!r} at {site!r}")
        return gain

    def layer(self, layer: nn.Linear, gain: float, example: Tensor) -> nn.Module:
        return Gained(layer, gain)

    def apply(self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor) -> Any:
        for site in sorted(settings):
            gain = self.check(settings[site], site)
            for name, layer in layers_at(model, site).items():
                assert isinstance(layer, nn.Linear)
                model.set_submodule(name, self.layer(layer, gain, example))
        return model


def layered(make: Callable[[nn.Linear, float, Tensor], nn.Module]) -> Gain:
    """A compressor that builds layers in another way."""

    class Other(Gain):
        def layer(self, layer: nn.Linear, gain: float, example: Tensor) -> nn.Module:
            return make(layer, gain, example)

    return Other()


def applied(change: Callable[[Any, Any, Tensor], Any]) -> Gain:
    """A compressor that does something more to the network, its settings or the example."""

    class Other(Gain):
        def apply(self, model: nn.Module, settings: Mapping[str, Hashable], example: Tensor) -> Any:
            return change(super().apply(model, settings, example), settings, example)

    return Other()


def with_weights(layer: nn.Linear, weight: Tensor) -> nn.Linear:
    layer.weight = nn.Parameter(weight.detach().clone())
    return layer


def check(compressor: Any, space: Any = None, seed: int = 0) -> None:
    check_compressor(compressor, space or Space(), EXAMPLE, 3, np.random.default_rng(seed))


def breach(compressor: Any, message: str, space: Any = None) -> None:
    with pytest.raises(AssertionError, match=message):
        check(compressor, space)
