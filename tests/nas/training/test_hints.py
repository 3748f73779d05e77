import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.quantize import ActivationMethod
from nas.seeds import seeded
from nas.training.distil import Distillation
from nas.training.fit import cross_entropy
from nas.training.hints import Hint


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
