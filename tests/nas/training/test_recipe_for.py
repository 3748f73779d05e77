import pytest

from nas.data import Task
from nas.training.augmentation import AUGMENTATIONS
from nas.training.recipe_for import recipe_for
from tests.nas.training.training_runs import numbered


@pytest.mark.parametrize(
    ("parameters", "lr"),
    [(100, 2e-2), (3_000, 2e-2), (10_000, 1.5e-2), (50_000, 1e-2), (10**7, 5e-3)],
)
def test_small_networks_learn_faster(parameters: int, lr: float, tiny_task: Task) -> None:
    recipe = recipe_for(parameters, tiny_task)
    assert recipe.lr == pytest.approx(lr, rel=0.02)
    assert recipe.finetune_lr == pytest.approx(0.4 * lr, rel=0.02)


def test_images_are_augmented_for_large_networks_and_many_epochs(tiny_task: Task) -> None:
    for parameters, epochs, task, strength in (
        (16_000, 40, tiny_task, "mild"),
        (15_999, 40, tiny_task, "off"),
        (16_000, 39, tiny_task, "off"),
        (16_000, 40, numbered(8), "off"),
    ):
        recipe = recipe_for(parameters, task, epochs=epochs, finetune_epochs=3)
        assert recipe.augmentation == AUGMENTATIONS[strength]
        assert (recipe.epochs, recipe.finetune_epochs) == (epochs, 3)


@pytest.mark.parametrize(("samples", "batch"), [(100, 16), (1_600, 32), (3_199, 32), (3_200, 64)])
def test_few_samples_come_in_small_batches(samples: int, batch: int) -> None:
    assert recipe_for(1_000, numbered(samples)).batch_size == batch


def test_no_parameters_are_refused(tiny_task: Task) -> None:
    with pytest.raises(ValueError, match="1 parameter or more, but got 0"):
        recipe_for(0, tiny_task)
