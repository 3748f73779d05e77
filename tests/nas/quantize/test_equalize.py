import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.quantize import equalized
from nas.seeds import seeded


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def uneven(relu: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """A network whose channels differ a thousandfold, which its outputs do not show."""
    with seeded(0):
        model = nn.Sequential(
            *(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), relu()),
            *(nn.Conv2d(6, 12, 3, groups=6, bias=False), relu()),
            *(nn.Conv2d(12, 5, 1), relu(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(20, 4)),
        )
        factors = torch.logspace(-1.5, 1.5, 6)
        with torch.no_grad():
            norm, second, third = model[1], model[3], model[5]
            assert isinstance(norm, nn.BatchNorm2d)
            assert isinstance(second, nn.Conv2d)
            assert isinstance(third, nn.Conv2d)
            norm.weight.mul_(factors)
            second.weight.div_(factors.repeat_interleave(2).view(-1, 1, 1, 1))
            second.weight.mul_(torch.logspace(1.0, -1.0, 12).view(-1, 1, 1, 1))
            third.weight.div_(torch.logspace(1.0, -1.0, 12).view(1, -1, 1, 1))
    return model.eval()


IMAGES = noise(64, 2, 8, 8)


def error(model: nn.Module, quantization: Quantization, expected: Tensor) -> float:
    """How far the quantized network is from what was expected, relative."""
    with torch.no_grad():
        return float(
            (quantization.apply(model, {"": 8}, IMAGES).eval()(IMAGES) - expected).norm()
            / expected.norm()
        )


def test_float_outputs_are_unchanged() -> None:
    model = uneven()
    assert torch.allclose(equalized(model)(IMAGES), model(IMAGES), rtol=1e-3, atol=1e-5)


def test_equalization_improves_weights_with_one_scale() -> None:
    expected = uneven()(IMAGES).detach()
    tensor = Quantization(weight_scales="tensor", activations="fixed")
    assert error(equalized(uneven()), tensor, expected) < min(
        0.05, 0.3 * error(uneven(), tensor, expected)
    )


def test_both_sides_of_a_channel_have_the_same_largest_weight() -> None:
    model = equalized(uneven())
    pairs = [("0", "3"), ("3", "5"), ("5", "9")]
    for first, second in pairs:
        made, read = (
            model.get_parameter(f"{first}.weight").detach(),
            model.get_parameter(f"{second}.weight").detach(),
        )
        largest = made.abs().flatten(1).amax(1)
        by_input = (
            read.reshape(6, -1) if second == "3" else read.transpose(0, 1).reshape(len(made), -1)
        )
        if second == "9":
            by_input = read.reshape(4, 5, 4).transpose(0, 1).reshape(5, -1)
        assert torch.allclose(largest, by_input.abs().amax(1), rtol=0.02)


def test_nothing_is_equalized_through_functions_that_are_not_homogeneous() -> None:
    model = uneven(nn.ReLU6)
    weight = model.get_parameter("5.weight").detach().clone()
    result = equalized(model)
    assert torch.allclose(result(IMAGES), model(IMAGES), rtol=1e-3, atol=1e-5)
    assert torch.equal(result.get_parameter("5.weight"), weight)


def test_channels_with_several_readers_are_unchanged() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with seeded(0):
                self.a, self.b, self.c = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            y = self.a(x)
            z: Tensor = self.b(y) + self.c(y)
            return z

    model = Branches()
    result = equalized(model)
    assert torch.equal(result.get_parameter("a.weight"), model.a.weight)


@pytest.mark.parametrize("dead", ["made", "read"])
def test_channels_of_zeros_stay_finite(dead: str) -> None:
    with seeded(0):
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    first, second = model[0], model[2]
    assert isinstance(first, nn.Linear)
    assert isinstance(second, nn.Linear)
    with torch.no_grad():
        if dead == "made":
            first.weight[1] = 0.0
        else:
            second.weight[:, 1] = 0.0
    result = equalized(model)
    assert torch.allclose(result(noise(5, 3)), model(noise(5, 3)), atol=1e-6)
    assert result(noise(5, 3)).isfinite().all()
