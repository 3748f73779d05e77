from dataclasses import replace
from pathlib import Path

import pytest

from nas.runs.run import run
from nas.runs.stored_recipe import is_recipe_of, write_recipe
from nas.training.recipe import Recipe
from tests.nas.runs.experiments import Make


def test_trainings_after_the_search_have_a_recipe_of_their_own(tiny: Make, tmp_path: Path) -> None:
    searched = tiny(trials=2, retrain=1, final_epochs=3)
    first = run(searched, tmp_path)
    slow = replace(searched, final_recipe=replace(searched.recipe, lr=1e-6, finetune_lr=1e-6))
    assert slow.describe() == searched.describe()
    again = run(slow, tmp_path)
    assert again.evaluations == first.evaluations
    assert again.final is not None
    assert first.final is not None
    for part in ("final", "retrained"):
        assert is_recipe_of(tmp_path / part, slow.after_search.recipe)
        assert not is_recipe_of(tmp_path / part, searched.recipe)
    assert again.retrained[0].history != first.retrained[0].history
    assert run(slow, tmp_path).final == again.final


def test_an_augmentation_that_does_not_go_with_the_samples_is_refused(tiny: Make) -> None:
    experiment = tiny()
    varied = replace(experiment.recipe.augmentation, shift=100)
    with pytest.raises(ValueError, match="shift and cutout must be smaller"):
        replace(experiment, final_recipe=replace(experiment.recipe, augmentation=varied))


def test_what_is_unknown_is_another_recipe_but_not_what_is_older(tmp_path: Path) -> None:
    assert is_recipe_of(tmp_path, Recipe())
    write_recipe(tmp_path, Recipe())
    assert is_recipe_of(tmp_path, Recipe())
    assert not is_recipe_of(tmp_path, Recipe(lr=1e-3))
    (tmp_path / "recipe.json").write_text("{")
    assert not is_recipe_of(tmp_path, Recipe())
