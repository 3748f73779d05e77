from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from nas.data import Split, Task
from nas.experiment import Experiment
from nas.training.augmentation import Augmentation
from nas.training.distil import Distillation, Teacher
from nas.training.fit import cross_entropy
from nas.training.losses import balanced, check_loss, loss_by
from nas.training.recipe import Recipe
from nas.training.recipe_choices import chosen_recipe
from nas.training.smoothing import smoothed
from nas.training.views import draw_moves, moved

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.0, 0.0], [-3.0, 0.0, 3.0]], requires_grad=True)
LABELS = torch.tensor([0, 1, 2])
INDEX = torch.arange(3)


def unbalanced() -> Task:
    """Six samples of class 0, two of class 1, none of class 2."""
    labels = torch.tensor([0] * 6 + [1] * 2)
    split = Split(torch.zeros(8, 4), labels)
    return Task(name="unbalanced", train=split, validation=split, test=split, classes=3)


def test_the_cross_entropy_stays_itself() -> None:
    assert loss_by(Recipe(), unbalanced(), cross_entropy) is cross_entropy


def test_a_focal_loss_counts_what_is_learned_less() -> None:
    p = LOGITS.softmax(1)[INDEX, LABELS]
    loss = loss_by(Recipe(focal=2.0), unbalanced(), cross_entropy)
    expected = (-((1 - p) ** 2) * p.log()).mean()
    assert torch.allclose(loss(LOGITS, LABELS, INDEX), expected)
    shares = smoothed(LABELS, 3, 0.3)
    all_p = LOGITS.softmax(1)
    spread = -(shares * (1 - all_p) ** 2 * all_p.log()).sum(1).mean()
    assert torch.allclose(loss(LOGITS, shares, INDEX), spread)


def test_with_class_weights_each_class_counts_alike() -> None:
    task = unbalanced()
    weights = balanced(task)
    assert torch.allclose(weights, torch.tensor([8 / 12, 2.0, 0.0]))
    loss = loss_by(Recipe(class_weights=True), task, cross_entropy)
    each = nn.functional.cross_entropy(LOGITS, LABELS, reduction="none")
    assert torch.allclose(loss(LOGITS, LABELS, INDEX), (each * weights[LABELS]).mean())


def test_a_distillation_takes_the_alpha_and_the_temperature_of_the_recipe() -> None:
    inputs, teacher = torch.rand(3, 4), nn.Linear(4, 3)
    given = Distillation(teacher, inputs, 0.5, 4.0)
    wanted = Distillation(teacher, inputs, 0.2, 2.0)
    assert loss_by(Recipe(), unbalanced(), given) is given
    chosen = loss_by(Recipe(alpha=0.2, temperature=2.0), unbalanced(), given)
    assert torch.allclose(chosen(LOGITS, LABELS, INDEX), wanted(LOGITS, LABELS, INDEX))
    assert not torch.allclose(given(LOGITS, LABELS, INDEX), wanted(LOGITS, LABELS, INDEX))


def test_views_of_a_distillation_have_the_temperature_too() -> None:
    inputs, teacher = torch.rand(3, 1, 4, 4), nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    shifted = Augmentation(shift=1, views=2)
    given, wanted = (
        Distillation(teacher, inputs, 0.5, t, augmentations=[shifted]) for t in (4.0, 2.0)
    )
    found, _ = given.at(None, 2.0).viewed(shifted)
    expected, _ = wanted.viewed(shifted)
    assert torch.allclose(found(LOGITS, LABELS, INDEX), expected(LOGITS, LABELS, INDEX))


def test_focal_losses_and_teachers_are_not_mixed(tiny: Callable[..., Experiment]) -> None:
    with pytest.raises(ValueError, match="alpha or temperature must have a teacher"):
        tiny(recipe=Recipe(alpha=0.5))
    teacher = Teacher(build=lambda example, classes: nn.Flatten())
    with pytest.raises(ValueError, match="must be off where a teacher answers, but got 1"):
        tiny(recipe=Recipe(focal=1.0), teacher=teacher)


@pytest.mark.parametrize(("share", "epochs"), [(0.0, (12, 0)), (0.25, (9, 3)), (1, (0, 12))])
def test_the_share_of_epochs_after_compression_is_a_choice(share: Any, epochs: Any) -> None:
    recipe = chosen_recipe(Recipe(epochs=8, finetune_epochs=4), {"recipe.finetune_share": share})
    assert (recipe.epochs, recipe.finetune_epochs) == epochs
    assert recipe.phases(None) == epochs


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("finetune_share", 1.5, "must be in 0 … 1"),
        ("class_weights", 1, "must be True or False, but got 1"),
        ("schedule", 3, "must be names, but got 3"),
        ("batch_size", 8.0, "must be whole numbers, but got 8.0"),
    ],
)
def test_options_of_another_type_are_refused(name: str, option: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chosen_recipe(Recipe(), {f"recipe.{name}": option})


def test_signals_are_moved_in_time() -> None:
    augmentation, signals = Augmentation(shift=2, cutout=1), torch.arange(1.0, 9).view(1, 1, 8)
    moves = draw_moves(augmentation, 50, 1, 8, torch.Generator().manual_seed(0))
    assert set(moves[:, 0].tolist()) == {0}
    assert set(moves[:, 1].tolist()) == {-2, -1, 0, 1, 2}
    later = torch.tensor([[0, 2, 0, 0, 7]], dtype=torch.int16)
    assert moved(signals, later, augmentation).tolist() == [[[0, 0, 1, 2, 3, 4, 5, 0]]]


def of_kind(kind: str) -> Task:
    labels = torch.tensor([0, 1, 0, 1]) if kind == "binary" else torch.tensor([0.5, 1, 2, -1])
    part = Split(torch.zeros(4, 2), labels)
    classes = 2 if kind == "binary" else 0
    return Task(name=kind, train=part, validation=part, test=part, classes=classes, kind=kind)  # type: ignore[arg-type]


OUTPUTS = torch.tensor([[0.3], [-1.2], [2.0], [0.1]])


def test_one_logit_is_learned_as_a_probability() -> None:
    labels, index = of_kind("binary").train.labels, torch.arange(4)
    loss = loss_by(Recipe(), of_kind("binary"))
    expected = nn.functional.binary_cross_entropy_with_logits(OUTPUTS[:, 0], labels.float())
    assert torch.allclose(loss(OUTPUTS, labels, index), expected)
    assert torch.allclose(loss(OUTPUTS, smoothed(labels, 2, 1e-9), index), expected)
    focal = loss_by(Recipe(focal=1.0), of_kind("binary"))
    p = torch.where(labels > 0, OUTPUTS[:, 0].sigmoid(), 1 - OUTPUTS[:, 0].sigmoid())
    assert torch.allclose(focal(OUTPUTS, labels, index), -((1 - p) * p.log()).mean())


def test_targets_are_learned_by_their_errors() -> None:
    targets, index = of_kind("regression").train.labels, torch.arange(4)
    missed = OUTPUTS[:, 0] - targets
    squared = loss_by(Recipe(), of_kind("regression"))
    absolute = loss_by(Recipe(regression_loss="absolute"), of_kind("regression"))
    assert torch.allclose(squared(OUTPUTS, targets, index), (missed**2).mean())
    assert torch.allclose(absolute(OUTPUTS, targets, index), missed.abs().mean())


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_teachers_of_every_kind_are_learned_from(kind: str) -> None:
    task, index = of_kind(kind), torch.arange(4)
    teacher = nn.Linear(2, 1)
    loss = Distillation(teacher, task.train.inputs, 0.0, 2.0, kind=task.kind)
    said = teacher(task.train.inputs).detach()
    assert loss(said, task.train.labels, index).abs() < 1e-6, "the answers of the teacher are best"
    assert loss(said + 0.5, task.train.labels, index) > 0.01
    hard = Distillation(teacher, task.train.inputs, 1.0, 2.0, kind=task.kind)
    by_labels = loss_by(Recipe(), task)(OUTPUTS, task.train.labels, index)
    assert torch.allclose(hard(OUTPUTS, task.train.labels, index), by_labels)


def test_settings_of_classes_are_refused_for_targets() -> None:
    for settings in ({"focal": 1.0}, {"class_weights": True}, {"temperature": 2.0}):
        with pytest.raises(ValueError, match="settings of classes must be off"):
            check_loss(Recipe(**settings), "regression")
    check_loss(Recipe(focal=1.0), "binary")
    with pytest.raises(ValueError, match="its default, for a classification, but got 'absolute'"):
        check_loss(Recipe(regression_loss="absolute"), "classification")
