from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from compressors.sharing import share
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


@pytest.mark.parametrize(
    ("conv", "fast"),
    [
        (nn.Conv2d(4, 6, 1, stride=2), False),
        (nn.Conv2d(4, 6, 1, stride=(1, 3), padding=1), False),
        (nn.Conv2d(4, 6, 1), True),
        (nn.Conv2d(4, 6, 3, stride=2), True),
        (nn.Conv2d(16, 6, 1, stride=2), True),
        (nn.Conv2d(4, 4, 1, stride=2, groups=2), True),
    ],
)
def test_strided_pixels_of_few_channels_keep_torchs_order(conv: nn.Conv2d, fast: bool) -> None:
    """The gradient of such a convolution, channels-last, is written past its memory: see _overflows."""
    model = nn.Sequential(nn.Conv2d(3, conv.in_channels, 3), conv)
    to_fastest_format(model, IMAGES)
    weight = model.get_parameter("0.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last) is fast
    model(IMAGES).sum().backward()


def test_shared_weights_have_the_order_of_the_network() -> None:
    model = Wired(
        lambda net, x: net["head"](net["conv"](x).view(x.size(0), -1)),
        conv=nn.Conv2d(3, 5, 3),
        head=nn.Linear(80, 2),
    )
    shared = share(model, 4, IMAGES)
    assert shared(IMAGES).shape == (4, 2)
    to_fastest_format(shared, IMAGES)
    assert shared(IMAGES).shape == (4, 2)
    fast = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Conv2d(5, 6, 3))
    to_fastest_format(fast, IMAGES)
    layer = share(fast, 4, IMAGES)[1]  # type: ignore[index] # layers in order
    assert layer.rounded_weight().is_contiguous(memory_format=torch.channels_last)
