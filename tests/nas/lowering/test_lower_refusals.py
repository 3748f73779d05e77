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
            sequence(nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")),
            "'0' must pad with zeros, but has 'circular'; use an nn.Conv2d with padding_mode='zeros'",
        ),
        (sequence(nn.MaxPool2d(3, dilation=2)), "'0' must pool without dilation"),
        (
            Wired(lambda net, x: functional.max_pool2d(x, 2, return_indices=True)[0].flatten(1)),
            "must have an integer form, but .* calls max_pool2d_with_indices",
        ),
        (
            sequence(nn.AdaptiveAvgPool2d(3)),
            r"'0' must pool windows of one size, but \(8, 8\) is no multiple of \(3, 3\)",
        ),
        (
            sequence(nn.AvgPool2d(3, 2, 1, ceil_mode=True, divisor_override=2), nn.AvgPool2d(2)),
            "'1' must pool images|without ceil_mode where it has a divisor",
        ),
        (
            sequence(nn.AvgPool2d(4, 4, 1, ceil_mode=True)),
            "must pool with count_include_pad=False where ceil_mode adds windows to a padding",
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
            Wired(lambda net, x: torch.flatten(functional.pad(x, (1, -1)), 1)),
            r"'pad' must pad by 0 or more, \(left, right, top, bottom\), but by \(1, -1\)",
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
            r"'0' must pad with zeros, but is ConstantPad2d\(.*value=0.5\)",
        ),
        (
            nn.Sequential(nn.Flatten(0)),
            r"'_0' must keep samples apart, \[N, …\], but gives \[512\] for two samples of \[4, 8, 8\]",
        ),
        (
            Wired(lambda net, x: x.view(64, -1)),
            "'view' must keep samples apart",
        ),
        (
            Wired(lambda net, x: x.view(-1, 128)),
            r"'view' must keep samples apart, .* gives \[4, 128\] for two samples",
        ),
        (
            Wired(lambda net, x: torch.cat(x.chunk(2, 1), 1)),
            "'chunk' must give one tensor where it is read, but gives tuple: index it",
        ),
        (
            Wired(lambda net, x: torch.relu(torch.unflatten(x, 1, (2, 2)))),
            r"must give samples \[F\], \[C, L\] or \[C, H, W\] where it is read, but gives \[2, 2, 8, 8\]",
        ),
        (
            Wired(lambda net, x: x * net.tensor("a"), a=nn.Parameter(torch.arange(8.0))),
            r"the constants of 'mul' must be one number or one for each channel of \[4, 8, 8\], but have the shape \[8\]",
        ),
        (Wired(lambda net, x: torch.cat([x, x], 2)), "'cat' must join channels, dim=1"),
        (
            Wired(lambda net, x: functional.interpolate(x, scale_factor=2, mode="bilinear")),
            "'interpolate' must repeat the nearest pixel, mode 'nearest', but has 'bilinear'",
        ),
        (
            Wired(lambda net, x: x.clamp(max=1)),
            "'clamp' must have the limit 0 below, or two limits",
        ),
        (Wired(lambda net, x: x.mean(1)), r"'mean' must reduce all pixels of images, dim=\(2, 3\)"),
        (
            Wired(
                lambda net, x: functional.leaky_relu(x, x.mean((2, 3)))  # type: ignore[arg-type]
            ),
            "'leaky_relu' must have constant arguments",
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
