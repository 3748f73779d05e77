import pytest
import torch
from torch import nn
from torch.nn import functional

from nas.lowering import lower
from nas.quantize import UnsupportedError
from tests.nas.lowering.lowering_networks import IMAGES, sequence
from tests.networks import Wired


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            sequence(nn.Conv2d(4, 4, 3, padding="same")),
            "'0' must pad with a number of zeros, but has 'zeros', 'same'",
        ),
        (
            sequence(nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")),
            "'0' must pad with a number of zeros",
        ),
        (sequence(nn.MaxPool2d(3, ceil_mode=True)), "'0' must pool without ceil_mode and dilation"),
        (
            sequence(nn.AdaptiveAvgPool2d(3)),
            r"'0' must pool windows of one size, but \(8, 8\) is no multiple of \(3, 3\)",
        ),
        (
            sequence(nn.AvgPool2d(3, padding=1, count_include_pad=False)),
            "'0' must average whole windows, padding included",
        ),
        (sequence(nn.UpsamplingNearest2d(size=(9, 9))), "'0' must enlarge by a whole scale_factor"),
        (
            sequence(nn.UpsamplingNearest2d(scale_factor=(2, 3))),
            "'0' must enlarge by a whole scale_factor",
        ),
        (
            sequence(nn.UpsamplingNearest2d(scale_factor=1.5)),
            "'0' must enlarge by a whole scale_factor",
        ),
        (
            sequence(nn.ZeroPad2d((1, -1, 0, 0))),
            r"'0' must pad by 0 or more, \(left, right, top, bottom\), but by \(1, -1, 0, 0\)",
        ),
        (
            Wired(lambda net, x: torch.flatten(functional.pad(x, (1, 1)), 1)),
            r"'pad' must pad by 0 or more, \(left, right, top, bottom\), but by \(1, 1\)",
        ),
        (
            Wired(lambda net, x: torch.flatten(functional.pad(x, (0, 0, 0, 0, 1, 1)), 1)),
            r"'pad' must pad by 0 or more, .* but by \(0, 0, 0, 0, 1, 1\)",
        ),
        (
            Wired(lambda net, x: torch.flatten(functional.pad(x, (1, 1, 1, 1), "reflect"), 1)),
            "'pad' must pad with zeros, mode 'constant' and value 0, but has 'reflect', None",
        ),
        (
            Wired(lambda net, x: torch.flatten(functional.pad(x, (1, 1, 1, 1), value=0.5), 1)),
            "'pad' must pad with zeros, mode 'constant' and value 0, but has 'constant', 0.5",
        ),
        (
            sequence(nn.ConstantPad2d(1, 0.5)),
            "must have an integer form, but '0' is a ConstantPad2d",
        ),
        (nn.Sequential(nn.Flatten(2)), "'0' must flatten from dimension 1, but from 2"),
        (Wired(lambda net, x: torch.cat([x, x], 2)), "'cat' must join channels, dim=1"),
        (
            Wired(lambda net, x: torch.flatten(nn.functional.max_pool2d(x, 1), 1)),
            "'max_pool2d' must be a module, nn.MaxPool2d, but is a function",
        ),
        (
            Wired(lambda net, x: torch.flatten(x + 1.0, 1)),
            "must read tensors that the network computes, but got 1.0; use a module",
        ),
        (
            Wired(lambda net, x: torch.flatten(torch.add(x, x, alpha=2), 1)),
            "'add' must have no further arguments, but got {'alpha'",
        ),
    ],
)
def test_what_has_no_integer_form_is_refused_by_name(model: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        lower(model, IMAGES)
