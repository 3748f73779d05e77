import doctest
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compressors.quantization import Quantization
from nas.data import Task
from nas.experiment import Experiment
from nas.runs.export import export
from nas.runs.journal import read_journal
from nas.runs.run import run
from nas.space import Choice, Choices
from nas.strategy import Proposal
from nas.testing.space import check_space
from nas.training.distil import Teacher
from nas.training.hints import Hint
from search_spaces import with_recipe
from search_spaces.trained_network import TrainedNetwork
from search_spaces.with_recipe import WithRecipe
from tests.nas.evaluators import DEEP, RECIPE, Space, evaluator, untimed
from tests.nas.training.training_runs import numbered

OPTIONS: dict[str, Any] = {"lr": (1e-3, 0.05), "label_smoothing": (0.0, 0.2)}


def test_the_example_is_correct() -> None:
    assert doctest.testmod(with_recipe) == (0, 3)


def test_the_space_keeps_its_contract() -> None:
    space = WithRecipe(Space(), OPTIONS)
    rng = np.random.default_rng(0)
    check_space(space, torch.rand(4, 1, 4, 4), 3, rng, [Quantization()])
    assert [choice.name for choice in space.choices[-3:]] == [
        "head.bits",
        "recipe.lr",
        "recipe.label_smoothing",
    ]
    assert not space.comes_trained


def test_a_space_of_a_trained_network_stays_one() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    space = TrainedNetwork(model, Choices([Choice("1", "bits", (4, 8))]))
    assert WithRecipe(space, OPTIONS).comes_trained


def test_a_candidate_is_trained_by_its_own_recipe(tiny_task: Task) -> None:
    evaluate = evaluator(tiny_task, space=WithRecipe(Space(), OPTIONS))
    genotype = (*DEEP, 1, 1)
    candidate, _ = evaluate(0, Proposal(genotype))
    assert candidate.design["recipe.lr"] == 0.05
    assert candidate.design["recipe.label_smoothing"] == 0.2
    # The same by hand: a recipe with these settings, in the same space.
    fixed = replace(evaluate, recipe=replace(RECIPE, lr=0.05, label_smoothing=0.2))
    given = {"lr": (0.7, 0.05), "label_smoothing": (0.0, 0.2)}
    by_hand, _ = replace(fixed, space=WithRecipe(Space(), given))(0, Proposal(genotype))
    assert by_hand.history == candidate.history
    other, _ = evaluate(0, Proposal((*DEEP, 0, 1)))
    assert other.history != candidate.history


def test_export_trains_a_candidate_again_by_its_own_recipe(
    tiny: Callable[..., Experiment], tmp_path: Path
) -> None:
    experiment = tiny(space=WithRecipe(tiny().space, OPTIONS), trials=3)
    run(experiment, tmp_path)
    evaluations = read_journal(tmp_path)[1]
    assert len({e.design["recipe.lr"] for e in evaluations}) == 2
    for evaluation in evaluations:
        path = tmp_path / "a.nas"
        again = export(tmp_path, str(evaluation.id), "packed", path, experiment).evaluation
        assert untimed(again).history == evaluation.history
        assert again.metrics.keys() - evaluation.metrics.keys() == {"test_accuracy"}
        assert again.metrics.items() >= evaluation.metrics.items()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": (0.9,)}, "must be one of .*, but got 'epsilon'"),
        ({"alpha": (0.5,)}, "must have a teacher"),
        ({"optimizer": ("adam",)}, "the optimizer must be one of"),
        ({"lr": (0.1, -0.1)}, "learning rates positive"),
        ({"augmentation": ("off", "strong")}, "must be smaller than the images, 4x4"),
    ],
)
def test_an_experiment_refuses_what_no_candidate_can_have(
    tiny: Callable[..., Experiment], options: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(space=WithRecipe(Space(), options))


def test_an_experiment_refuses_augmentation_that_does_not_go_with_it(
    tiny: Callable[..., Experiment],
) -> None:
    space = WithRecipe(Space(), {"augmentation": ("off", "mild")})
    with pytest.raises(
        ValueError, match=r"images \[N, C, H, W\] or signals \[N, C, T\], but the inputs are"
    ):
        tiny(space=space, task=numbered(8))
    teacher = Teacher(build=lambda example, classes: nn.Flatten(), hints=(Hint("a", "b"),))
    with pytest.raises(ValueError, match="no hints where images are augmented"):
        tiny(space=space, teacher=teacher)


def test_candidates_learn_from_a_teacher_whatever_their_augmentation(
    tiny: Callable[..., Experiment], tmp_path: Path
) -> None:
    def build(example: torch.Tensor, classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(16, classes))

    space = WithRecipe(tiny().space, {"augmentation": ("off", "mild")})
    teacher = Teacher(build=build, epochs=1)
    found = run(tiny(space=space, teacher=teacher, trials=4), tmp_path).evaluations
    assert {e.status for e in found} == {"OK"}
    assert {e.design["recipe.augmentation"] for e in found} == {"off", "mild"}
