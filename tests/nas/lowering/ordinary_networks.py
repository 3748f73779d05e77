"""Networks of what ordinary ones consist of, and the operations that they are lowered to."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.program.operations import (
    AvgPool,
    Conv,
    EdgeAvgPool,
    EdgeMaxPool,
    Flatten,
    Linear,
    Lut,
    MaxPool,
    Operation,
    Pad,
    Upsample,
)
from nas.seeds import seeded
from tests.nas.lowering.lowering_networks import normalized
from tests.networks import Wired

Case = tuple[nn.Module, tuple[type[Operation], ...]]

FLAT = nn.Flatten()


def convolved(*layers: nn.Module, out: int = 4) -> nn.Module:
    """Layers behind a convolution that gives images of both signs, [4, 7, 7]."""
    return nn.Sequential(nn.Conv2d(3, out, 3), *layers, nn.Flatten())


def called(call: Callable[[Tensor], Tensor], out: int = 4) -> nn.Module:
    """A function behind a convolution, as in `convolved`."""
    return Wired(
        lambda net, x: net["flat"](call(net["conv"](x))), conv=nn.Conv2d(3, out, 3), flat=FLAT
    )


def dropped(drop: Callable[..., Tensor]) -> nn.Module:
    """A dropout that is active while the network trains."""
    return Wired(
        lambda net, x: net["flat"](drop(net["conv"](x), 0.3, net.training)),
        conv=nn.Conv2d(3, 4, 3),
        flat=FLAT,
    )


def poolings() -> dict[str, Case]:
    return {
        "max pooling, rounded up": (
            convolved(nn.MaxPool2d(2, ceil_mode=True)),
            (Conv, EdgeMaxPool, Flatten),
        ),
        "max pooling, rounded up, padded": (
            convolved(nn.MaxPool2d(3, (2, 3), (1, 0), ceil_mode=True)),
            (Conv, EdgeMaxPool, Flatten),
        ),
        "max pooling, rounded up for nothing": (
            convolved(nn.MaxPool2d(3, 2, ceil_mode=True)),
            (Conv, MaxPool, Flatten),
        ),
        "mean without padding": (
            convolved(nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
            (Conv, EdgeAvgPool, Flatten),
        ),
        "mean, rounded up": (
            convolved(nn.AvgPool2d((2, 3), (2, 3), ceil_mode=True)),
            (Conv, EdgeAvgPool, Flatten),
        ),
        "mean without padding, rounded up": (
            convolved(nn.AvgPool2d((4, 3), 2, (2, 1), ceil_mode=True, count_include_pad=False)),
            (Conv, EdgeAvgPool, Flatten),
        ),
        "mean with a divisor": (
            convolved(nn.AvgPool2d(3, 2, 1, divisor_override=5)),
            (Conv, AvgPool, Flatten),
        ),
        "adaptive maximum": (
            convolved(nn.AdaptiveMaxPool2d((1, None))),
            (Conv, MaxPool, Flatten),
        ),
        "max_pool2d": (
            called(lambda x: functional.max_pool2d(x, 2, ceil_mode=True)),
            (Conv, EdgeMaxPool, Flatten),
        ),
        "avg_pool2d": (
            called(lambda x: functional.avg_pool2d(x, 3, 2, count_include_pad=False)),
            (Conv, AvgPool, Flatten),
        ),
        "adaptive_avg_pool2d": (
            called(lambda x: functional.adaptive_avg_pool2d(x, (7, 1))),
            (Conv, AvgPool, Flatten),
        ),
        "adaptive_max_pool2d": (
            called(lambda x: functional.adaptive_max_pool2d(x, 1)),
            (Conv, MaxPool, Flatten),
        ),
        "mean over space": (called(lambda x: x.mean((2, 3))), (Conv, AvgPool, Flatten)),
        "mean over space, kept": (
            called(lambda x: torch.mean(x, dim=[-1, -2], keepdim=True)),
            (Conv, AvgPool, Flatten),
        ),
        "maximum over space": (called(lambda x: x.amax((-2, -1))), (Conv, MaxPool, Flatten)),
        "pad": (
            called(lambda x: functional.pad(functional.pad(x, (1, 2)), (0, 1, 2, 0))),
            (Conv, Pad, Pad, Flatten),
        ),
        "constant padding": (convolved(nn.ConstantPad2d((1, 0, 0, 2), 0.0)), (Conv, Pad, Flatten)),
        "same padding": (
            convolved(nn.Conv2d(4, 4, (3, 4), padding="same", dilation=(2, 1)), nn.ReLU()),
            (Conv, Pad, Conv, Flatten),
        ),
        "same padding on both sides": (
            convolved(nn.Conv2d(4, 4, 3, padding="same", groups=2), normalized(nn.BatchNorm2d(4))),
            (Conv, Conv, Flatten),
        ),
        "valid padding": (convolved(nn.Conv2d(4, 2, 3, padding="valid")), (Conv, Conv, Flatten)),
        "upsampling to a size": (convolved(nn.Upsample((14, 14))), (Conv, Upsample, Flatten)),
        "interpolate": (
            called(lambda x: functional.interpolate(x, scale_factor=3)),
            (Conv, Upsample, Flatten),
        ),
    }


def functions() -> dict[str, Case]:
    tables: dict[str, nn.Module] = {
        "leaky_relu": called(lambda x: functional.leaky_relu(x, 0.2)),
        "elu": called(lambda x: functional.elu(x, 0.7)),
        "selu": called(functional.selu),
        "celu": called(lambda x: functional.celu(x, 0.6)),
        "softplus": called(lambda x: functional.softplus(x, beta=2)),
        "softsign": called(functional.softsign),
        "logsigmoid": called(functional.logsigmoid),
        "hardtanh": called(lambda x: functional.hardtanh(x, -0.3, 0.4)),
        "clamp": called(lambda x: x.clamp(-0.2, 0.5)),
        "SELU": convolved(nn.SELU()),
        "CELU": convolved(nn.CELU(0.5)),
        "Softplus": convolved(nn.Softplus()),
        "Softsign": convolved(nn.Softsign()),
        "LogSigmoid": convolved(nn.LogSigmoid()),
    }
    clamps: dict[str, nn.Module] = {
        "relu": called(functional.relu),
        "relu_": called(lambda x: x.relu_()),
        "relu6": called(functional.relu6),
        "clamp from 0": called(lambda x: torch.clamp(x, min=0)),
        "clamp from 0 to 6": called(lambda x: torch.clip(x, 0, 6)),
        "dropout": dropped(functional.dropout),
        "dropout2d": dropped(functional.dropout2d),
        "Dropout1d": convolved(nn.Flatten(), nn.Dropout1d()),
    }
    softmax: dict[str, nn.Module] = {
        "log_softmax": Wired(
            lambda net, x: functional.log_softmax(net["head"](net["flat"](x)), dim=1),
            head=nn.Linear(243, 5),
            flat=FLAT,
        ),
        "Softmax": nn.Sequential(nn.Flatten(), nn.Linear(243, 5), nn.Softmax(dim=-1)),
    }
    return {
        **{name: (model, (Conv, Lut, Flatten)) for name, model in tables.items()},
        **{name: (model, (Conv, Flatten)) for name, model in clamps.items()},
        **{name: (model, (Flatten, Linear)) for name, model in softmax.items()},
    }


with seeded(0):
    ORDINARY: dict[str, Case] = {**poolings(), **functions()}
