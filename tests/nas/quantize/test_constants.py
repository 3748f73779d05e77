from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nas.quantize import ChannelAffine, UnsupportedError, traced_network
from nas.quantize.constants import ScalarAffine, affine
from tests.networks import Wired

IMAGES = torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(0))
GAIN = torch.tensor([0.5, -2.0, 3.0, 0.0]).view(4, 1, 1)


@pytest.mark.parametrize(
    ("call", "kinds"),
    [
        (lambda x, c: x * 0.5, [ScalarAffine]),
        (lambda x, c: torch.add(2, -x).div(4), [ScalarAffine]),
        (lambda x, c: (x - 1) / 3, [ScalarAffine]),
        (lambda x, c: c * x, [ChannelAffine]),
        (lambda x, c: x.sub(c).mul(2.0) + 1, [ChannelAffine]),
        (lambda x, c: (x * c).relu() * c, [ChannelAffine, ChannelAffine]),
        (lambda x, c: x - x.relu(), [ScalarAffine]),  # minus the second
        (lambda x, c: (lambda y: y + y.relu())(x * 2), [ScalarAffine]),
    ],
)
def test_constants_are_modules(
    call: Callable[[Tensor, Tensor], Tensor], kinds: list[type[nn.Module]]
) -> None:
    model = Wired(lambda net, x: call(x, net.tensor("gain")))
    model.register_buffer("gain", GAIN.clone())
    traced = traced_network(model, IMAGES)
    found = [module for module in traced.modules() if isinstance(module, ChannelAffine)]
    assert [type(module) for module in found] == kinds
    torch.testing.assert_close(traced(IMAGES), model(IMAGES))


def test_parameters_go_on_learning_and_are_not_merged() -> None:
    model = Wired(lambda net, x: x * net.tensor("gain") * 2.0, gain=nn.Parameter(GAIN.clone()))
    traced = traced_network(model, IMAGES)
    learned, fixed = (module for module in traced.modules() if isinstance(module, ChannelAffine))
    assert learned.gains is model.tensor("gain")
    assert learned.learns
    assert not fixed.learns
    assert len(list(traced.parameters())) == 1
    traced(IMAGES).sum().backward()
    assert model.tensor("gain").grad is not None


def test_quotients_by_tensors_stay_as_they_are() -> None:
    traced = traced_network(Wired(lambda net, x: 1.0 / (x + 3.0)), IMAGES)
    assert "truediv" in [node.name for node in traced.graph.nodes]


def test_constants_have_one_value_a_channel() -> None:
    gains, offsets = affine(GAIN, 0.25).of_channels("scale", (4, 2, 2))
    assert gains.tolist() == GAIN.flatten().tolist()
    assert offsets.tolist() == [0.25] * 4
    with pytest.raises(UnsupportedError, match=r"the constants of 'scale' must be one number or"):
        affine(torch.arange(2.0), 0.0).of_channels("scale", (4, 2, 2))
    with pytest.raises(UnsupportedError, match=r"the constants of 'scale' must broadcast to \[5"):
        affine(GAIN, 0.0).of_channels("scale", (5, 2, 2))
