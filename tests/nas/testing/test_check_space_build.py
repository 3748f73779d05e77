import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.seeds import seeded
from nas.space import Choice, Choices, Design
from tests.nas.testing.broken_spaces import Space, breach, built, check


def test_a_design_that_cannot_be_built_is_reported() -> None:
    def unbuildable(model: nn.Sequential, design: Design) -> nn.Module:
        raise ZeroDivisionError("no channels")

    breach(
        built(unbuildable),
        r"must make a network of every design, but raised ZeroDivisionError\('no channels'\) for Design\({'depth'",
    )


def test_reading_an_inactive_choice_is_guessed() -> None:
    breach(
        built(lambda model, design: (design["hidden.width"], model)[1]),
        r"raised KeyError\('hidden.width'\) for .*: it reads a choice that is not active",
    )


def test_an_unknown_choice_is_no_inactive_one() -> None:
    breach(
        built(lambda model, design: design["hidden.wdith"]),
        r"raised KeyError\('hidden.wdith'\) for .* do not fit together",
    )


def test_a_network_must_come_back() -> None:
    breach(
        built(lambda model, design: None),
        "build.. must return a module, but returned NoneType: perhaps `return model`",
    )


def test_the_design_must_stay_as_it_is() -> None:
    def fill(model: nn.Module, design: Any) -> nn.Module:
        design.setdefault("hidden.width", 4)
        return model

    def drain(model: nn.Module, design: Any) -> nn.Module:
        design.pop("head.bits")
        return model

    for change in (fill, drain):
        breach(
            built(change),
            "must make a network of every design, but raised .*: it changes the design, which is frozen",
        )


def test_the_example_must_stay_as_it_is() -> None:
    class Scaling(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> Any:
            example.mul_(2.0)
            return super().build(design, example, classes)

    breach(Scaling(), "must leave the example as it is")


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("random", random.random),
        ("numpy.random", np.random.rand),
        ("torch.get_default_dtype", lambda: torch.set_default_dtype(torch.float64)),
        ("torch.is_grad_enabled", lambda: torch.set_grad_enabled(False)),
    ],
)
def test_global_states_must_be_left_alone(name: str, draw: Callable[[], Any]) -> None:
    def drawing(model: nn.Module, design: Design) -> nn.Module:
        draw()
        return model

    try:
        with pytest.raises(
            AssertionError, match=rf"build\(\) must leave the global state of {name}\S* alone"
        ):
            check(built(drawing))
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)


def test_one_seed_must_give_one_network() -> None:
    own = torch.Generator().manual_seed(0)

    def drawing(model: nn.Module, design: Design) -> nn.Module:
        with torch.no_grad():
            model.get_parameter("head.weight").normal_(generator=own)
        return model

    breach(
        built(drawing),
        r"the same network for the same seed, .*'head.weight' differs: perhaps something is drawn",
    )


@pytest.mark.parametrize("how", ["seeded again", "loaded"])
def test_another_seed_must_give_other_weights(how: str) -> None:
    class Fixed(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> Any:
            if how == "seeded again":
                torch.manual_seed(0)
            model = super().build(design, example, classes)
            if how == "loaded":
                for parameter in model.parameters():
                    nn.init.constant_(parameter, 0.1)
            return model

    breach(
        Fixed(),
        "other weights for another seed if it draws .*: perhaps build.. seeds torch itself, or puts given weights over",
    )


def test_a_copy_of_a_given_network_owes_nothing_to_the_seed() -> None:
    with seeded(0):
        given = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))

    class Copying(Space):
        choices = Choices([Choice("1", "bits", (2, 8))])

        def build(self, design: Design, example: Tensor, classes: int) -> Any:
            return copy.deepcopy(given)

    check(Copying())


def test_networks_must_share_no_weights() -> None:
    with seeded(0):
        head = nn.Linear(16, 3)

    def reuse(model: nn.Sequential, design: Design) -> nn.Module:
        return nn.Sequential(nn.Flatten(), head)

    breach(built(reuse), "must give a network of its own each time, but gave weights twice")


def test_the_order_of_a_design_must_not_matter() -> None:
    class Ordered(Space):
        def build(self, design: Design, example: Tensor, classes: int) -> Any:
            model = super().build(design, example, classes)
            if next(iter(design)) != "depth":
                nn.init.zeros_(model.head.weight)
            return model

    breach(Ordered(), "must not depend on the order of a design, .*'head.weight' differs")
