from collections.abc import Hashable
from typing import Any

import pytest

from nas.space import Choice
from nas.training.augmentation import AUGMENTATIONS
from nas.training.recipe import Recipe
from nas.training.recipe_choices import alternatives, chosen_recipe


def test_a_design_changes_the_settings_that_it_chooses() -> None:
    design = {
        "stem.bits": 4,
        "lr": 0.5,
        "recipe.lr": 0.02,
        "recipe.augmentation": "mild",
        "recipe.batch_size": 32,
    }
    chosen = chosen_recipe(Recipe(epochs=3, ema=0.5), design)
    assert chosen == Recipe(
        epochs=3, ema=0.5, lr=0.02, augmentation=AUGMENTATIONS["mild"], batch_size=32
    )
    assert chosen_recipe(Recipe(epochs=3), {"stem.bits": 4}) == Recipe(epochs=3)


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("recipe.rate", 0.1, "must be one of .*'lr'.*, but got 'rate'"),
        ("recipe.epochs", 3, "must be one of .*'lr'.*, but got 'epochs'"),
        ("recipe.augmentation", "wild", "one of .*'off', 'mild', .*'strong'.*, but got 'wild'"),
        ("recipe.augmentation", (1, 2), r"but got \(1, 2\)"),
        ("recipe.lr", "fast", "must be numbers, but got 'fast'"),
        ("recipe.lr", True, "must be numbers, but got True"),
        ("recipe.batch_size", 32.0, "must be whole numbers, but got 32.0"),
        ("recipe.lr", -1.0, "learning rates positive"),
        ("recipe.label_smoothing", 2, "label smoothing must be in 0 … 1, but got 2"),
    ],
)
def test_a_setting_that_a_recipe_cannot_have_is_refused(
    name: str, option: Hashable, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        chosen_recipe(Recipe(), {name: option})


def test_every_option_is_looked_at() -> None:
    choices: list[Any] = [Choice("recipe", "lr", (0.1, 0.2)), Choice("stem", "lr", (1, 2))]
    assert [recipe.lr for recipe in alternatives(Recipe(), choices)] == [5e-3, 0.1, 0.2]
