from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from nas.seeds import seeded
from nas.training.in_place import rectified_in_place

EXAMPLE = torch.rand(4, 2, 6, 6)


def block() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU())


class ReadsBetween(nn.Module):
    """Reads what its block gives to the ReLU, too."""

    def __init__(self) -> None:
        super().__init__()
        self.block = block()

    def forward(self, x: Tensor) -> Tensor:
        between = self.block[1](self.block[0](x))
        result: Tensor = between + self.block[2](between) + self.block(x)
        return result


def in_place(model: nn.Module) -> list[bool]:
    return [module.inplace for module in model.modules() if isinstance(module, nn.ReLU)]


def test_relus_behind_layers_are_in_place_within_the_context() -> None:
    model = nn.Sequential(block(), block())
    with rectified_in_place(model, EXAMPLE):
        assert in_place(model) == [True, True]
    assert in_place(model) == [False, False]


def test_a_relu_that_was_in_place_stays_so() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(inplace=True))
    with rectified_in_place(model, EXAMPLE):
        assert in_place(model) == [True]
    assert in_place(model) == [True]


def shared() -> nn.Module:
    relu = nn.ReLU()
    return nn.Sequential(nn.Conv2d(2, 2, 1), relu, nn.Sigmoid(), relu)


def hooked() -> nn.Module:
    model = block()
    model[1].register_forward_hook(lambda *_: None)
    return model


@pytest.mark.parametrize(
    "made",
    [
        ReadsBetween,
        shared,
        hooked,
        lambda: nn.Sequential(nn.Sigmoid(), nn.ReLU()),
        lambda: nn.Sequential(nn.ReLU(), nn.Conv2d(2, 2, 1)),
    ],
)
def test_what_something_else_reads_is_not_written_over(made: Callable[[], nn.Module]) -> None:
    model = made()
    with rectified_in_place(model, EXAMPLE):
        assert not any(in_place(model))


def test_outputs_gradients_and_statistics_stay_to_the_bit() -> None:
    found = []
    for in_place_too in (False, True):
        with seeded(0):
            model = nn.Sequential(block(), block())
        with rectified_in_place(model, EXAMPLE) if in_place_too else nullcontext():
            model(EXAMPLE).square().sum().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        found.append([*model.state_dict().values(), *gradients])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
