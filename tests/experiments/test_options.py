import inspect
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from experiments.breast_cancer import breast_cancer
from experiments.images import TEACHER as IMAGE_TEACHER
from experiments.options import FirstOf, Limits, SearchOptions, TrainingOptions
from experiments.series import TEACHER as SERIES_TEACHER
from experiments.table import TEACHER as TABLE_TEACHER
from nas.cli.command_parser import shipped_experiments
from nas.cli.experiment_options import experiment_parser, load_function
from nas.training.augmentation import AUGMENTATIONS
from nas.training.recipe import Recipe


@pytest.mark.parametrize("name", shipped_experiments())
def test_every_experiment_has_all_shared_options_and_says_what_to_expect(name: str) -> None:
    function = load_function(name)
    text = experiment_parser(function, "p").format_help()
    for field in fields(SearchOptions):
        assert f"--{field.name.replace('_', '-')} " in text
    for group in ("how the search goes", "limits of a network", "how candidates are trained"):
        assert f"{group}:\n" in text
    assert "on two cores" in inspect.getdoc(function)  # type: ignore[operator]


def test_every_field_is_documented() -> None:
    for kind in (SearchOptions, Limits, TrainingOptions):
        for name in inspect.get_annotations(kind):
            assert f"        {name}: " in (kind.__doc__ or "")


def test_a_recipe_has_what_is_stated_and_else_what_is_the_experiments_own() -> None:
    own = Recipe(batch_size=32, lr=0.1, optimizer="sgd")
    assert TrainingOptions().recipe(own) == own
    stated = TrainingOptions(epochs=3, finetune_epochs=0, lr=0.2, schedule="cosine", warm_up=0.1)
    expected = replace(own, epochs=3, finetune_epochs=0, lr=0.2, schedule="cosine", warm_up=0.1)
    assert stated.recipe(own) == expected
    mirrored = TrainingOptions(augmentation="mirrored", class_weights=True, ema=0.9).recipe(own)
    assert mirrored.augmentation == AUGMENTATIONS["mirrored"]
    assert (mirrored.class_weights, mirrored.ema, mirrored.lr) == (True, 0.9, 0.1)
    with pytest.raises(ValueError, match="focal must be finite and not negative, but got -1"):
        TrainingOptions(focal=-1.0).recipe(own)


def test_all_options_reach_an_experiment() -> None:
    options = SearchOptions(
        trials=3, macs=900, seed=5, samples=100, teacher=True, target_bytes=99, median_stop=True
    )
    made = breast_cancer(options)
    assert (made.trials, made.seed, made.samples) == (3, 5, 100)
    assert made.objective.budget.limits == {"macs": 900}
    assert made.objective.soft_target is not None
    assert made.stop is not None
    assert made.teacher is not None
    assert made.teacher.build == TABLE_TEACHER
    described = made.describe()["teacher"]["build"]
    assert (described["name"], described["space"]["widths"]) == ("FirstOf", [128])


def test_an_experiment_without_a_teacher_refuses_to_teach() -> None:
    made = breast_cancer()
    with pytest.raises(ValueError, match="teacher must be false for an experiment that has no"):
        SearchOptions(teacher=True).experiment(
            space=made.space, compressors=made.compressors, task=made.task
        )


@pytest.mark.parametrize(
    ("teacher", "shape", "parameters"),
    [
        (TABLE_TEACHER, (13,), 2_500),
        (SERIES_TEACHER, (3, 128), 62_000),
        (IMAGE_TEACHER, (1, 28, 28), 75_000),
        (IMAGE_TEACHER, (3, 32, 32), 75_000),
    ],
)
def test_teachers_are_larger_than_what_they_teach(
    teacher: FirstOf, shape: tuple[int, ...], parameters: int
) -> None:
    network = teacher(torch.rand(2, *shape), 10)
    assert network(torch.rand(2, *shape)).shape == (2, 10)
    count = sum(each.numel() for each in network.parameters())
    assert parameters < count < 3 * parameters


def test_a_missing_table_of_latencies_is_refused(tmp_path: Path) -> None:
    limits = Limits(target=str(tmp_path / "none.json"))
    with pytest.raises(ValueError, match=r"roofline, onnxruntime, .* or a file .*none\.json"):
        _ = limits.device
