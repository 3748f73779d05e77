import doctest
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nas.data import Task
from nas.seeds import seeded
from nas.training import distil as distill
from nas.training.augmentation import Augmentation
from nas.training.distil import Distillation, Teacher
from nas.training.fit import Loss, cross_entropy, fit, logits, viewed
from nas.training.hints import Hint
from nas.training.recipe import Recipe
from nas.training.slimming import with_gain_penalty
from tests.nas.training.training_runs import shuffle

# What the teacher, here nn.Identity(), says of four samples.
TAUGHT = torch.tensor([[2.0, 0.0], [0.0, 0.0], [-1.0, 3.0], [0.5, 0.0]])


STUDENT = torch.tensor([[0.0, 1.0], [1.0, 0.5]])


LABELS, INDEX = torch.tensor([0, 1]), torch.tensor([2, 0])


def distil(alpha: float, temperature: float, taught: Tensor = TAUGHT) -> Loss:
    return Distillation(nn.Identity(), taught, alpha, temperature)


def softmax(values: list[float], temperature: float) -> list[float]:
    powers = [math.exp(value / temperature) for value in values]
    return [power / sum(powers) for power in powers]


def divergence(teacher: list[float], student: list[float], temperature: float) -> float:
    """Kullback and Leibler's, from the teacher's distribution to the student's."""
    pairs = zip(softmax(teacher, temperature), softmax(student, temperature), strict=True)
    return sum(p * math.log(p / q) for p, q in pairs)


def gradient(loss: Loss, student: Tensor = STUDENT) -> Tensor:
    student = student.clone().requires_grad_()
    loss(student, LABELS, INDEX).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    return student.grad


def test_the_loss_by_hand() -> None:
    alpha, temperature = 0.25, 2.0
    # Samples 2 and 0 of the teacher, in that order; the mean is over samples and not over classes.
    soft = (
        divergence([-1.0, 3.0], [0.0, 1.0], temperature)
        + divergence([2.0, 0.0], [1.0, 0.5], temperature)
    ) / 2
    hard = -(math.log(softmax([0.0, 1.0], 1.0)[0]) + math.log(softmax([1.0, 0.5], 1.0)[1])) / 2
    expected = alpha * hard + (1 - alpha) * temperature**2 * soft
    assert distil(alpha, temperature)(STUDENT, LABELS, INDEX).item() == pytest.approx(
        expected, rel=1e-5
    )


def test_the_divergence_is_from_the_teacher_to_the_student() -> None:
    forward = (
        divergence([-1.0, 3.0], [0.0, 1.0], 1.0) + divergence([2.0, 0.0], [1.0, 0.5], 1.0)
    ) / 2
    backward = (
        divergence([0.0, 1.0], [-1.0, 3.0], 1.0) + divergence([1.0, 0.5], [2.0, 0.0], 1.0)
    ) / 2
    assert abs(forward - backward) > 0.05
    assert distil(0.0, 1.0)(STUDENT, LABELS, INDEX).item() == pytest.approx(forward, rel=1e-5)


def test_with_alpha_1_only_the_labels_count() -> None:
    assert distil(1.0, 4.0)(STUDENT, LABELS, INDEX).item() == pytest.approx(
        cross_entropy(STUDENT, LABELS, INDEX).item()
    )


def test_with_alpha_0_only_the_teacher_counts() -> None:
    loss = distil(0.0, 4.0)
    assert torch.equal(loss(STUDENT, LABELS, INDEX), loss(STUDENT, 1 - LABELS, INDEX))
    assert loss(TAUGHT[INDEX], LABELS, INDEX).item() == pytest.approx(0.0, abs=1e-6)
    assert loss(TAUGHT[INDEX.flip(0)], LABELS, INDEX).item() > 0.1


def test_soft_labels_are_looked_up_by_position() -> None:
    loss = distil(0.0, 1.0)
    for position in range(4):
        index = torch.tensor([position])
        assert loss(TAUGHT[index], LABELS[:1], index).item() == pytest.approx(0.0, abs=1e-6)


def test_the_gradient_is_of_the_same_size_at_every_temperature() -> None:
    # For high temperatures it tends to the difference of the logits that are left when their means
    # are taken away.
    sizes = [gradient(distil(0.0, temperature)).norm().item() for temperature in (4.0, 8.0, 64.0)]
    assert max(sizes) < 1.2 * min(sizes)
    difference = STUDENT - TAUGHT[INDEX]
    expected = (difference - difference.mean(1, keepdim=True)) / (len(INDEX) * STUDENT.shape[1])
    assert torch.allclose(gradient(distil(0.0, 64.0)), expected, atol=1e-3)


def teacher() -> nn.Module:
    with seeded(0):
        return nn.Sequential(
            nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2)
        ).train()


def test_the_teacher_runs_in_evaluation_mode_and_is_unchanged() -> None:
    first, second = teacher(), teacher()
    with torch.no_grad():
        soft = second.eval()(TAUGHT)
    loss = Distillation(first, TAUGHT, 0.0, 2.0)
    assert loss(soft[INDEX], LABELS, INDEX).item() == pytest.approx(0.0, abs=1e-6)
    gradient(loss)
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert all(parameter.grad is None for parameter in first.parameters())


def test_the_teacher_runs_once() -> None:
    class Counting(nn.Module):
        samples = 0

        def forward(self, x: Tensor) -> Tensor:
            self.samples += len(x)
            return x

    counting = Counting()
    loss = Distillation(counting, TAUGHT, 0.5, 2.0)
    for _ in range(3):
        loss(STUDENT, LABELS, INDEX)
    assert counting.samples == len(TAUGHT)


def test_soft_labels_stay_when_the_teacher_changes() -> None:
    changing = teacher()
    loss = Distillation(changing, TAUGHT, 0.0, 2.0)
    before = loss(STUDENT, LABELS, INDEX)
    with torch.no_grad():
        for parameter in changing.parameters():
            parameter.add_(1.0)
    assert torch.equal(loss(STUDENT, LABELS, INDEX), before)


@pytest.mark.parametrize(
    ("epochs", "alpha", "temperature"),
    [
        (-1, 0.5, 4.0),
        (5, -0.1, 4.0),
        (5, 1.1, 4.0),
        (5, float("nan"), 4.0),
        (5, 0.5, 0.0),
        (5, 0.5, -1.0),
        (5, 0.5, float("nan")),
    ],
)
def test_values_of_a_teacher_out_of_range_are_refused(
    epochs: int, alpha: float, temperature: float
) -> None:
    with pytest.raises(
        ValueError, match=r"epochs >= 0, alpha in \[0, 1\] and temperature > 0, but got"
    ):
        Teacher(
            build=lambda example, classes: nn.Identity(),
            epochs=epochs,
            alpha=alpha,
            temperature=temperature,
        )


def test_a_teacher_with_weights_is_not_trained_again() -> None:
    with pytest.raises(
        ValueError,
        match="a teacher with weights must have 0 epochs, as it is not trained again, but got 3",
    ):
        Teacher(build=lambda example, classes: nn.Identity(), epochs=3, weights=Path("teacher.npz"))


def test_the_example_in_the_documentation_is_true() -> None:
    with seeded(0):
        result = doctest.testmod(distill)
    assert (result.failed, result.attempted) == (0, 7)


def test_a_distilled_student_comes_nearer_its_teacher_than_a_plain_one(tiny_task: Task) -> None:
    def network(hidden: int) -> nn.Module:
        with seeded(hidden):
            return nn.Sequential(
                nn.Flatten(), nn.Linear(16, hidden), nn.ReLU(), nn.Linear(hidden, 3)
            )

    recipe, teacher = Recipe(epochs=20, batch_size=10, lr=0.02), network(12)
    fit(teacher, tiny_task, recipe, epochs=20, lr=0.02, loss=cross_entropy, generator=shuffle())
    taught, plain = network(2), network(2)
    assert (
        len(
            distill.distil(
                taught, teacher, tiny_task, recipe, shuffle(), alpha=0.0, temperature=2.0
            )
        )
        == 20
    )
    fit(plain, tiny_task, recipe, epochs=20, lr=0.02, loss=cross_entropy, generator=shuffle())
    wanted = torch.softmax(logits(teacher, tiny_task.validation.inputs), 1)
    near, far = (
        (torch.softmax(logits(model, tiny_task.validation.inputs), 1) - wanted).abs().mean()
        for model in (taught, plain)
    )
    assert near < far


VARIED = Augmentation(shift=1, flip=True, cutout=2, views=3)


def image_teacher() -> nn.Module:
    with seeded(1):
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 3))


def test_the_soft_labels_of_a_view_are_what_the_teacher_says_of_it(tiny_task: Task) -> None:
    inputs, teacher = tiny_task.train.inputs, image_teacher()
    loss = Distillation(teacher, inputs, 0.0, 1.0, augmentations=[VARIED], seed=5)
    of_views, views = viewed(loss, VARIED)
    assert views is not None
    positions = torch.tensor([0, 2 * 60 + 7, 60 + 59])
    said = logits(teacher, views.images(inputs, positions))
    labels = torch.zeros(3, dtype=torch.long)
    # The divergence from the teacher's own answers is 0, and from any others above.
    assert of_views(said, labels, positions).item() == pytest.approx(0.0, abs=1e-6)
    assert of_views(said, labels, positions.flip(0)).item() > 1e-4
    plain = torch.tensor([0, 7, 59])
    assert loss(logits(teacher, inputs[plain]), labels, plain).item() == pytest.approx(
        0.0, abs=1e-6
    )


def test_a_student_learns_from_the_views_that_the_teacher_knows(tiny_task: Task) -> None:
    shown: list[Tensor] = []

    class Student(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(16, 3)

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                shown.append(x)
            said: Tensor = self.head(x.flatten(1))
            return said

    recipe = Recipe(batch_size=16, augmentation=VARIED)
    loss = Distillation(
        image_teacher(), tiny_task.train.inputs, 0.5, 4.0, augmentations=[VARIED, VARIED]
    )
    with seeded(0):
        student = Student()
    fit(student, tiny_task, recipe, epochs=4, lr=0.02, loss=loss, generator=shuffle())
    _, views = loss.viewed(VARIED)
    every = views.images(tiny_task.train.inputs, torch.arange(180))
    known = {tuple(image.flatten().tolist()) for image in every}
    epochs = [{tuple(x.flatten().tolist()) for x in torch.cat(shown[i : i + 4])} for i in (0, 4)]
    assert all(len(epoch) > 50 and epoch <= known for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_a_penalized_loss_has_the_views_of_the_loss_inside(tiny_task: Task) -> None:
    inputs, model = tiny_task.train.inputs, nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16))
    loss = Distillation(image_teacher(), inputs, 0.5, 4.0, augmentations=[VARIED])
    inside, views = loss.viewed(VARIED)
    outside, again = viewed(with_gain_penalty(loss, model, 1.0), VARIED)
    assert again is views
    said, labels, positions = torch.randn(2, 3), torch.tensor([0, 1]), torch.tensor([70, 150])
    penalty = outside(said, labels, positions) - inside(said, labels, positions)
    assert penalty.item() == pytest.approx(16.0)


def test_an_augmentation_that_the_teacher_did_not_see_is_refused(tiny_task: Task) -> None:
    loss = Distillation(image_teacher(), tiny_task.train.inputs, 0.5, 4.0)
    recipe = Recipe(augmentation=VARIED)
    with pytest.raises(ValueError, match="must have answered views by"):
        fit(image_teacher(), tiny_task, recipe, epochs=1, lr=0.1, loss=loss, generator=shuffle())


def test_hints_and_augmentation_are_refused_together(tiny_task: Task) -> None:
    recipe = Recipe(augmentation=VARIED)
    with pytest.raises(ValueError, match="hints must be learned from samples as they are"):
        distill.distil(
            image_teacher(), image_teacher(), tiny_task, recipe, shuffle(), hints=[Hint("1", "1")]
        )
