import doctest
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.data import Task
from nas.quantize import ActivationMethod
from nas.seeds import seeded
from nas.training import distil as distill
from nas.training.distil import Distillation, Teacher
from nas.training.fit import Loss, cross_entropy, fit, logits
from nas.training.hints import Hint
from nas.training.recipe import Recipe

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


class Convolutional(nn.Module):
    """Two convolutions of given widths, and a head."""

    def __init__(self, first: int, second: int, stride: int = 1) -> None:
        super().__init__()
        self.a, self.act = nn.Conv2d(1, first, 3, stride=stride, padding=1), nn.ReLU()
        self.b, self.head = nn.Conv2d(first, second, 3), nn.Linear(second, 2)

    def forward(self, x: Tensor) -> Tensor:
        said: Tensor = self.head(self.b(self.act(self.a(x))).mean((2, 3)))
        return said


IMAGES = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(3))
WANTED = torch.arange(20) % 2


def networks(first: int, second: int, stride: int = 1) -> tuple[Convolutional, Convolutional]:
    """A teacher and a student."""
    with seeded(1):
        return Convolutional(6, 5), Convolutional(first, second, stride)


def hinted(teacher: nn.Module, *hints: Hint, alpha: float = 1.0) -> Distillation:
    return Distillation(teacher, IMAGES, alpha, 2.0, hints)


def test_a_projection_of_the_students_features_is_compared_with_the_teachers() -> None:
    teacher, student = networks(3, 4)
    loss, index = hinted(teacher, Hint("act", "act", 0.5)), torch.tensor([7, 2, 11])
    with loss.attached(student, IMAGES[:2]) as extra:
        (weight, bias) = extra
        assert weight.shape == (6, 3)
        said = student(IMAGES[index])
        made, taught = student.act(student.a(IMAGES[index])), teacher.act(teacher.a(IMAGES[index]))
        expected = (
            cross_entropy(said, WANTED[index], index)
            + 0.5
            * (nn.functional.conv2d(made, weight[:, :, None, None], bias) - taught).square().mean()
        )
        value = loss(said, WANTED[index], index)
        assert value.item() == pytest.approx(expected.item(), rel=1e-5)
        value.backward()  # type: ignore[no-untyped-call]
        assert weight.grad is not None
        assert weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_a_projection_of_features_without_maps_is_a_linear_layer() -> None:
    teacher, student = networks(3, 4)
    loss, index = hinted(teacher, Hint("head", "head")), torch.tensor([7, 2, 11])
    with loss.attached(student, IMAGES[:2]) as extra:
        said = student(IMAGES[index])
        led = nn.functional.linear(said, *extra)
        expected = (
            cross_entropy(said, WANTED[index], index)
            + (led - teacher(IMAGES[index])).square().mean()
        )
        assert loss(said, WANTED[index], index).item() == pytest.approx(expected.item(), rel=1e-5)


def test_attention_maps_are_of_length_1_and_need_no_projection() -> None:
    teacher, student = networks(3, 4)
    loss, index = hinted(teacher, Hint("a", "act", 2.0, attention=True)), torch.tensor([0, 9])
    with loss.attached(student, IMAGES[:2]) as extra:
        assert extra == []
        said = student(IMAGES[index])
        maps = [
            x.square().mean(1).flatten(1)
            for x in (student.a(IMAGES[index]), teacher.act(teacher.a(IMAGES[index])))
        ]
        made, taught = (x / x.norm(dim=1, keepdim=True) for x in maps)
        expected = (
            cross_entropy(said, WANTED[index], index) + 2.0 * (made - taught).square().sum(1).mean()
        )
        assert loss(said, WANTED[index], index).item() == pytest.approx(expected.item(), rel=1e-5)


class Summed(nn.Module):
    """Two rectified convolutions of the same images, and a head for the rectified sum of them."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(1, 3, 3), nn.Conv2d(1, 3, 3), nn.Linear(3, 2)
        self.act, self.other, self.last, self.pool = (
            nn.ReLU(),
            nn.ReLU(),
            nn.ReLU(),
            nn.AvgPool2d(6),
        )

    def forward(self, x: Tensor) -> Tensor:
        said: Tensor = self.head(
            self.pool(self.last(self.act(self.a(x)) + self.other(self.b(x)))).flatten(1)
        )
        return said


@pytest.mark.parametrize("activations", ["widest", "pact", "lsq"])
def test_a_hint_at_a_fused_relu_sees_the_rectified_features(
    activations: ActivationMethod,
) -> None:
    with seeded(2):
        student = Quantization(activations=activations).apply(Summed(), {"": 3}, IMAGES).eval()
        teacher = nn.Sequential(nn.AvgPool2d(3, stride=1), nn.Flatten(), nn.Linear(36, 2))
    x = student.get_submodule("ranges.x")(IMAGES)
    shared = student.get_submodule("ranges.other")  # of both summands and the sum
    for place, layer in (("act", "a"), ("other", "b")):
        made = shared(student.get_submodule(layer)(x))
        loss = hinted(teacher, Hint(place, "0", attention=True))
        with loss.attached(student, IMAGES[:2]):
            said = student(IMAGES)
            maps = [
                values.square().mean(1).flatten(1)
                for values in (made, nn.functional.avg_pool2d(IMAGES, 3, stride=1))
            ]
            led, taught = (values / values.norm(dim=1, keepdim=True) for values in maps)
            expected = (
                cross_entropy(said, WANTED, torch.arange(20))
                + (led - taught).square().sum(1).mean()
            )
            assert loss(said, WANTED, torch.arange(20)).item() == pytest.approx(
                expected.item(), rel=1e-5
            )


@pytest.mark.parametrize("attention", [False, True])
def test_larger_maps_are_averaged_to_the_size_of_smaller_ones(attention: bool) -> None:
    teacher, student = networks(3, 4, stride=2)
    loss = hinted(teacher, Hint("act", "act", attention=attention))
    with loss.attached(student, IMAGES[:2]):
        assert loss(student(IMAGES), WANTED, torch.arange(20)).isfinite()


def test_a_student_with_hints_learns_the_teachers_features() -> None:
    teacher, student = networks(6, 5)
    loss = hinted(teacher, Hint("act", "act", 10.0), alpha=0.5)
    values = []
    with loss.attached(student, IMAGES[:2]) as extra:
        optimizer = torch.optim.Adam([*student.parameters(), *extra], lr=0.01)
        for _ in range(60):
            optimizer.zero_grad()
            value = loss(student(IMAGES), WANTED, torch.arange(20))
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            values.append(value.item())
    assert values[-1] < 0.6 * values[0]


def test_hooks_are_removed_with_the_context() -> None:
    teacher, student = networks(3, 4)
    loss = hinted(teacher, Hint("act", "act"))
    with loss.attached(student, IMAGES[:2]):
        pass
    assert not any(
        module._forward_hooks for model in (teacher, student) for module in model.modules()
    )
    with pytest.raises(ValueError, match="zip"):
        loss(student(IMAGES), WANTED, torch.arange(20))


def attach(student: nn.Module, hint: Hint) -> None:
    with hinted(networks(3, 4)[0], hint).attached(student, IMAGES[:2]):
        pass


def test_hints_that_do_not_fit_the_networks_are_refused() -> None:
    teacher, student = networks(3, 4)
    with pytest.raises(
        ValueError, match=r"a hint must name modules of the teacher, \['a', .*\], but names \['c'\]"
    ):
        hinted(teacher, Hint("a", "c"))
    with pytest.raises(ValueError, match=r"of the student, .* but names \['c'\]"):
        attach(student, Hint("c", "a"))
    with pytest.raises(ValueError, match=r"'head' gives \[2\] and 'a' \[6, 8, 8\]"):
        attach(student, Hint("head", "a"))
    nested = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3)), nn.Flatten(), nn.Linear(72, 2))
    with pytest.raises(
        ValueError, match=r"modules without children, but the student never calls \['0'\]"
    ):
        attach(Quantization().apply(nested, {"": 8}, IMAGES), Hint("0", "a"))
    with pytest.raises(
        ValueError, match="the weight of a hint must be positive and finite, but got"
    ):
        Hint("a", "a", 0.0)


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

    def shuffle() -> torch.Generator:
        return torch.Generator().manual_seed(0)

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
