"""Networks of signals [C, L], and the operations that they are lowered to."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    EdgeAvgPool,
    EdgeMaxPool,
    Flatten,
    Gather,
    Linear,
    Lut,
    MaxPool,
    Mul,
    Pad,
    PRelu,
    Reshape,
    Slice,
    Spread,
)
from nas.seeds import seeded
from tests.nas.lowering.lowering_networks import normalized
from tests.nas.lowering.ordinary_networks import FLAT, Case, scale
from tests.networks import Wired


def residual(net: Wired, x: Tensor) -> Tensor:
    x = net["a"](x)
    y = functional.relu(net["norm"](x))
    x = x + net["b"](y) * net.tensor("gain")
    return net["head"](torch.cat((x, y), dim=-2).mean(-1))


def gated(net: Wired, x: Tensor) -> Tensor:
    x = functional.leaky_relu(net["a"](x))
    gate = torch.sigmoid(net["gate"](functional.adaptive_avg_pool1d(x, 1)))
    return net["flat"]((x * gate)[:, ::2])


def with_images(net: Wired, x: Tensor) -> Tensor:
    """Signals as images of one row, and back."""
    x = net["a"](x.unsqueeze(2)).squeeze(2)
    return net["flat"](functional.max_pool1d(x.view(x.size(0), 2, -1), 2))


def networks() -> dict[str, Case]:
    return {
        "signals": (
            nn.Sequential(
                nn.Conv1d(3, 6, 5, 2, 2, bias=False),
                normalized(nn.BatchNorm1d(6)),
                nn.ReLU(),
                nn.MaxPool1d(2),
                nn.Conv1d(6, 6, 3, padding="same", dilation=2, groups=6),
                nn.ReLU6(),
                nn.Conv1d(6, 5, 1),
                nn.AdaptiveAvgPool1d(1),
                nn.Flatten(),
                nn.Linear(5, 3),
            ),
            (Reshape, Conv, MaxPool, Conv, Conv, AvgPool, Flatten, Linear),
        ),
        "windows of signals": (
            nn.Sequential(
                nn.ConstantPad1d((2, 1), 0.0),
                nn.Conv1d(3, 4, 4, padding="same"),
                nn.MaxPool1d(3, 2, 1, ceil_mode=True),
                nn.AvgPool1d(3, 2, 1, count_include_pad=False),
                nn.AvgPool1d(2),
                nn.PReLU(4),
                nn.Flatten(),
            ),
            (*(Reshape, Pad, Pad, Conv, MaxPool), EdgeAvgPool, AvgPool, PRelu, Flatten),
        ),
        "transposed signals": (
            nn.Sequential(
                nn.Conv1d(3, 4, 3), nn.ConvTranspose1d(4, 4, 4, 3, 1, 1), nn.ReLU(), nn.Flatten()
            ),
            (Reshape, Conv, Spread, Conv, Flatten),
        ),
        "the last of signals": (
            Wired(lambda net, x: net["a"](x).relu()[:, :, -1], a=nn.Conv1d(3, 4, 3)),
            (Reshape, Conv, Slice, Flatten),
        ),
        "rounded up": (
            nn.Sequential(nn.Conv1d(3, 4, 2), nn.MaxPool1d(2, ceil_mode=True), nn.Flatten()),
            (Reshape, Conv, EdgeMaxPool, Flatten),
        ),
        "preactivated signals": (
            Wired(
                residual,
                a=nn.Conv1d(3, 4, 3),
                norm=normalized(nn.BatchNorm1d(4)),
                b=nn.Conv1d(4, 4, 3, padding=1),
                gain=scale(4, 1),
                head=nn.Linear(8, 3),
            ),
            (Reshape, Conv, Conv, Conv, Conv, Add, Concat, AvgPool, Flatten, Linear),
        ),
        "gated signals": (
            Wired(gated, a=nn.Conv1d(3, 4, 3), gate=nn.Conv1d(4, 4, 1), flat=FLAT),
            (Reshape, Conv, Lut, AvgPool, Conv, Lut, Mul, Gather, Flatten),
        ),
        "signals as images": (
            Wired(with_images, a=nn.Conv2d(3, 4, (1, 3)), flat=FLAT),
            (Reshape, Reshape, Conv, Reshape, MaxPool, Flatten),
        ),
    }


with seeded(0):
    SIGNAL_NETWORKS = networks()
