from typing import Any

import pytest

from nas.training.augmentation import Augmentation
from nas.training.recipe import Recipe


@pytest.mark.parametrize(
    ("recipe", "epochs", "split"),
    [
        (Recipe(epochs=20, finetune_epochs=10), None, (20, 10)),
        (Recipe(epochs=20, finetune_epochs=10), 30, (20, 10)),
        (Recipe(epochs=20, finetune_epochs=10), 3, (2, 1)),
        (Recipe(epochs=20, finetune_epochs=10), 10, (7, 3)),
        (Recipe(epochs=20, finetune_epochs=10), 1, (0, 1)),
        (Recipe(epochs=20, finetune_epochs=10), 2.4, (1, 1)),
        (Recipe(epochs=20, finetune_epochs=10), 90, (60, 30)),
        (Recipe(epochs=5, finetune_epochs=0), 3, (3, 0)),
        (Recipe(epochs=0, finetune_epochs=5), 3, (0, 3)),
        (Recipe(epochs=20, finetune_epochs=10), 0, (0, 0)),
    ],
)
def test_epochs_are_split_in_the_proportion_of_the_recipe(
    recipe: Recipe, epochs: float | None, split: tuple[int, int]
) -> None:
    assert recipe.phases(epochs) == split


@pytest.mark.parametrize("epochs", [0.5, 0.9, -1])
def test_less_than_one_epoch_is_refused(epochs: float) -> None:
    with pytest.raises(ValueError, match=f"at least 1 epoch, but got {epochs}"):
        Recipe().phases(epochs)


def test_a_recipe_without_epochs_cannot_be_given_any() -> None:
    assert Recipe(epochs=0, finetune_epochs=0).phases(None) == (0, 0)
    with pytest.raises(
        ValueError, match="a recipe must have epochs to be trained for 3 of them, but has none"
    ):
        Recipe(epochs=0, finetune_epochs=0).phases(3)


@pytest.mark.parametrize(("epochs", "finetune"), [(-1, 5), (5, -1)])
def test_negative_epochs_are_refused(epochs: int, finetune: int) -> None:
    with pytest.raises(
        ValueError, match=f"must have epochs that are not negative, but got {epochs} and {finetune}"
    ):
        Recipe(epochs=epochs, finetune_epochs=finetune)


@pytest.mark.parametrize(
    "values",
    [
        {"batch_size": 1},
        {"batch_size": 0},
        {"lr": 0.0},
        {"lr": float("nan")},
        {"finetune_lr": -1.0},
        {"weight_decay": -0.1},
    ],
)
def test_a_recipe_that_cannot_train_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError,
        match="batch size must be 2 or more, learning rates positive and finite, and weight decay finite",
    ):
        Recipe(**values)


def test_settings_that_change_nothing_are_not_described() -> None:
    assert Recipe().describe() == {
        "epochs": 20,
        "finetune_epochs": 10,
        "batch_size": 64,
        "lr": 5e-3,
        "finetune_lr": 2e-3,
        "weight_decay": 1e-2,
        "gain_penalty": 0.0,
    }
    set_ = Recipe(ema=0.9, augmentation=Augmentation(shift=1), validate_every=2).describe()
    assert {name: set_[name] for name in set_.keys() - Recipe().describe().keys()} == {
        "ema": 0.9,
        "augmentation": {"shift": 1, "flip": False, "cutout": 0, "views": 8},
        "validate_every": 2,
    }


def test_validation_after_no_epoch_is_refused() -> None:
    with pytest.raises(ValueError, match="validate_every must be at least 1, but got 0"):
        Recipe(validate_every=0)
