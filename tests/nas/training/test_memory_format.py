from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nas.training.memory_format import to_fastest_format
from tests.networks import Wired

IMAGES = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("flatten", "fast"),
    [
        (lambda x: x.view(x.size(0), -1), False),
        (lambda x: x.view(-1, 80), False),
        (lambda x: x.flatten(1), True),
    ],
)
def test_weights_have_channels_last_where_the_network_runs_so(
    flatten: Callable[[Tensor], Tensor], fast: bool
) -> None:
    model = Wired(
        lambda net, x: net["head"](flatten(net["norm"](net["conv"](x)))),
        conv=nn.Conv2d(3, 5, 3),
        norm=nn.BatchNorm2d(5),
        head=nn.Linear(80, 2),
    )
    model.get_submodule("norm").eval()
    model.get_submodule("head").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    to_fastest_format(model, IMAGES)
    weight = model.get_parameter("conv.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last) is fast
    assert weight.is_contiguous() is not fast
    assert not model.get_submodule("norm").training
    assert model.training
    assert model.get_submodule("head").training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    model(IMAGES).sum().backward()
