"""Layers of the user's own classes: kept where they compute what torch's do, refused by name else."""

import doctest

import pytest
import torch
from torch import Tensor, nn

from compressors.factors import by_ratio
from compressors.low_rank import factorize
from compressors.quantization import quantize
from compressors.sharing import share
from nas.lowering import lower
from nas.tracing import UnsupportedError, is_plain, outputs, own_layers
from nas.tracing.same_outputs import difference

INPUTS = torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(0))


class Padded(nn.Conv2d):
    """A convolution that only says how it is made."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def extra_repr(self) -> str:
        return "padded"


class Standardized(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return nn.functional.conv2d(input, weight, self.bias, self.stride, self.padding)


class Scaled(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return 2.0 * super().forward(input)


class Inner(nn.Conv2d):
    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002
        doubled: Tensor = super()._conv_forward(input, weight * 2.0, bias)
        return doubled


class Shifted(nn.BatchNorm2d):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return super().forward(input) + 1.0


class Doubled(nn.ReLU):
    """An activation with a forward of its own, which torch.fx can enter."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return nn.functional.relu(input) + nn.functional.relu(input)


def network(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)).eval()


def hooked() -> nn.Module:
    model = network(nn.Conv2d(3, 8, 3))
    model[0].register_forward_hook(lambda _, __, output: output * 2.0)  # type: ignore[index]
    return model


def replaced_forward() -> nn.Module:
    model = network(nn.Conv2d(3, 8, 3))
    conv = model[0]  # type: ignore[index]
    conv.forward = lambda x: nn.functional.conv2d(x, conv.weight) * 2.0
    return model


REFUSED = [
    (
        lambda: network(Standardized(3, 8, 3)),
        "'0' is a Standardized, which changes forward of Conv2d",
    ),
    (lambda: network(Inner(3, 8, 3)), "'0' is a Inner, which changes _conv_forward of Conv2d"),
    (lambda: network(nn.Conv2d(3, 8, 3), Shifted(8)), "'1' is a Shifted"),
    (lambda: nn.Sequential(nn.Flatten(), Scaled(108, 4)), "'1' is a Scaled"),
    (hooked, "'0' is a Conv2d with forward hooks; remove the hooks first"),
    (replaced_forward, "'0' is a Conv2d, which changes forward"),
]


@pytest.mark.parametrize(("make", "reason"), REFUSED)
def test_what_computes_something_else_is_refused_by_name(make: object, reason: str) -> None:
    assert callable(make)
    for use in (
        lower,
        lambda model, x: quantize(model, 8, x),
        lambda model, x: share(model, 16, x),
    ):
        with pytest.raises(UnsupportedError, match=reason):
            use(make(), INPUTS)


def test_factors_of_a_layer_of_its_own_class_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="'1' is a Scaled"):
        factorize(nn.Sequential(nn.Flatten(), Scaled(108, 40)), by_ratio(0.2))


def test_a_class_that_says_how_a_layer_is_made_is_a_layer() -> None:
    model = network(Padded(3, 8), nn.ReLU())
    wanted = outputs(model, INPUTS)
    for rewritten in (quantize(model, 8, INPUTS), share(model, 256, INPUTS)):
        assert difference(wanted, outputs(rewritten, INPUTS)) < 0.03


def test_an_activation_with_a_forward_of_its_own_is_entered() -> None:
    model = network(nn.Conv2d(3, 8, 3), Doubled())
    found = outputs(quantize(model, 8, INPUTS), INPUTS)
    assert difference(outputs(model, INPUTS), found) < 0.03


def test_plain_is_what_torch_made() -> None:
    assert is_plain(nn.Linear(3, 2))
    assert not is_plain(Doubled())


def test_the_examples_of_the_module() -> None:
    assert doctest.testmod(own_layers) == (0, 3)
