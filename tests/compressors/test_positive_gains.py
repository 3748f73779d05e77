"""Signs of gains move into the layers before them, where that changes nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compressors.sharing import share
from nas.quantize.positive_norm import PositiveNorm
from nas.tracing import outputs
from nas.tracing.same_outputs import difference

INPUTS = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))


Body = Callable[[Any, Tensor], Any]


class Network(nn.Module):
    """Convolutions and normalizations with gains of both signs, put together by `body`."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.conv, self.other = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.one, self.two = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.pool, self.flat, self.head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
        self.body = body
        for norm in (self.one, self.two):
            norm.weight.data.normal_()
            norm.bias.data.normal_(0, 0.3)
            norm.running_mean.normal_(0, 0.3)  # type: ignore[union-attr] # it has one

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.flat(self.pool(self.body(self, self.stem(x).relu()))))
        return logits


def one_behind_one(net: Any, x: Tensor) -> Any:
    return net.one(net.conv(x)).relu()


def one_convolution_behind_two_norms(net: Any, x: Tensor) -> Any:
    return net.one(net.conv(x)).relu() + net.two(net.conv(x.relu() * x)).relu()


def one_norm_behind_two_convolutions(net: Any, x: Tensor) -> Any:
    return net.one(net.conv(x)).relu() + net.one(net.other(x)).relu()


def two_norms_read_one_result(net: Any, x: Tensor) -> Any:
    y = net.conv(x)
    return net.one(y).relu() + net.two(y).relu()


def read_by_something_else_too(net: Any, x: Tensor) -> Any:
    y = net.conv(x)
    return net.one(y).relu() + y


def norm_of_something_else_too(net: Any, x: Tensor) -> Any:
    return net.one(net.conv(x)).relu() + net.one(x)


def tied(net: Any, x: Tensor) -> Any:
    return net.one(net.conv(x)).relu() + net.other(x)


BODIES = [
    (one_behind_one, {"one"}),
    (one_convolution_behind_two_norms, set()),
    (one_norm_behind_two_convolutions, {"one"}),
    (two_norms_read_one_result, set()),
    (read_by_something_else_too, set()),
    (norm_of_something_else_too, set()),
    (tied, set()),
]


@pytest.mark.parametrize(("body", "positive"), BODIES)
def test_a_shared_network_says_the_same(body: Body, positive: set[str]) -> None:
    model = Network(body).eval()
    if body is tied:
        model.other.weight = model.conv.weight
    wanted = outputs(model, INPUTS)
    shared = share(model, {"conv": 256, "other": 256}, INPUTS)
    assert difference(wanted, outputs(shared, INPUTS)) < 0.01
    found = {name for name, module in shared.named_modules() if isinstance(module, PositiveNorm)}
    assert found == positive
    assert difference(wanted, outputs(model, INPUTS)) == 0.0


def test_two_norms_with_the_same_signs_are_turned_together() -> None:
    model = Network(one_convolution_behind_two_norms).eval()
    model.two.weight.data.copysign_(model.one.weight.data)
    shared = share(model, {"conv": 256}, INPUTS)
    assert difference(outputs(model, INPUTS), outputs(shared, INPUTS)) < 0.01
    for name in ("one", "two"):
        gains = shared.get_submodule(name).weight
        assert isinstance(gains, Tensor)
        assert bool((gains > 0).all())
