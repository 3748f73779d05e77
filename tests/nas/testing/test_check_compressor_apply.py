import random
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.space import Choice, Choices, Design
from tests.nas.testing.broken_compressors import Gain, Space, applied, breach, layered, with_weights


def test_a_network_must_come_back() -> None:
    breach(
        applied(lambda model, settings, example: None),
        "must return a module, but returned NoneType: perhaps `return model`",
    )


def test_the_settings_must_stay_as_they_are() -> None:
    def drain(model: nn.Module, settings: Any, example: Tensor) -> nn.Module:
        settings.clear()
        return model

    breach(applied(drain), "must leave its settings as they are, but changed {'hidden'.* to {}")


def test_the_example_must_stay_as_it_is() -> None:
    def scale(model: nn.Module, settings: Any, example: Tensor) -> nn.Module:
        example.mul_(2.0)
        return model

    breach(applied(scale), "must leave the example as it is")


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("random", random.random),
        ("numpy.random", np.random.rand),
        ("torch", lambda: torch.rand(1)),
        ("torch", lambda: torch.manual_seed(0)),
        ("torch.is_grad_enabled", lambda: torch.set_grad_enabled(False)),
    ],
)
def test_global_states_must_be_left_alone(name: str, draw: Callable[[], Any]) -> None:
    def drawing(model: nn.Module, settings: Any, example: Tensor) -> nn.Module:
        draw()
        return model

    try:
        with torch.random.fork_rng(devices=[]):
            torch.rand(1)  # so that seeding with 0 changes something
            breach(
                applied(drawing),
                rf"apply\(\) must leave the global state of {name}(\S*\(\))? alone",
            )
    finally:
        torch.set_grad_enabled(True)


def test_applying_must_be_repeatable() -> None:
    own = torch.Generator().manual_seed(0)

    def noisy(layer: nn.Linear, gain: float, example: Tensor) -> nn.Module:
        return with_weights(layer, layer.weight + torch.rand(layer.weight.shape, generator=own))

    breach(
        layered(noisy),
        "must be repeatable, for .*, but 'hidden.weight' differs: perhaps it draws random numbers",
    )


def test_the_order_of_sites_must_not_matter() -> None:
    class Ordered(Gain):
        def apply(self, model: Any, settings: Mapping[str, Hashable], example: Tensor) -> Any:
            model = super().apply(model, settings, example)
            if next(iter(settings)) == "head":
                model.get_submodule("head").gain.add_(1.0)
            return model

    breach(Ordered(), "must not depend on the order of sites, for .*, but 'head.gain' differs")


def test_the_original_of_the_copy_must_stay_as_it_is() -> None:
    class Holding(nn.Module):
        """A module whose copies are the module itself."""

        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.zeros(3))

        def __deepcopy__(self, memo: Any) -> "Holding":
            return self

        def forward(self, x: Tensor) -> Tensor:
            return x + self.table

    class Held(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
            return nn.Sequential(*super().build(design, example, classes).children(), Holding())

        choices = Choices([Choice("1", "gain", (0.5, 2.0))])

    def shift(model: nn.Module, settings: Any, example: Tensor) -> nn.Module:
        model.get_parameter("5.table").data.add_(1.0)
        return model

    breach(
        applied(shift),
        "on a copy must leave the original network alone, but changed '5.table'",
        Held(),
    )
