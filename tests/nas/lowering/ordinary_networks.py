"""Networks of what ordinary ones consist of, and the operations that they are lowered to."""

from collections.abc import Callable

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
    Operation,
    Pad,
    Reshape,
    Slice,
    Spread,
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
        "pad with channels": (
            called(lambda x: functional.pad(x, (0, 0, 0, 0, 2, 1))),
            (Conv, Gather, Lut, Gather, Lut, Concat, Flatten),
        ),
        "pad with channels behind, and rows": (
            called(lambda x: functional.pad(x, (0, 0, 1, 0, 0, 3), "constant", 0.0)),
            (Conv, Gather, Lut, Concat, Pad, Flatten),
        ),
        "mean over the size": (
            called(lambda x: functional.avg_pool2d(x, x.size(3))),
            (Conv, AvgPool, Flatten),
        ),
        "mean over the sizes": (
            called(lambda x: functional.avg_pool2d(x, kernel_size=x.size()[2:])),
            (Conv, AvgPool, Flatten),
        ),
        "maximum over the shape": (
            called(lambda x: functional.max_pool2d(x, (x.shape[2], x.shape[-1]), stride=1)),
            (Conv, MaxPool, Flatten),
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
        "transposed": (
            convolved(
                nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2),
                normalized(nn.BatchNorm2d(6)),
                nn.ReLU(),
            ),
            (Conv, Spread, Conv, Flatten),
        ),
        "transposed, in other steps each way": (
            convolved(nn.ConvTranspose2d(4, 3, (2, 3), (2, 3), (0, 1), dilation=(1, 2))),
            (Conv, Spread, Conv, Flatten),
        ),
        "transposed without steps": (convolved(nn.ConvTranspose2d(4, 3, 3)), (Conv, Conv, Flatten)),
        "pixels": (called(lambda x: x[:, :, ::2, 1:]), (Conv, Slice, Flatten)),
        "pixels of channels": (
            called(lambda x: x[:, 1:3, 1::3, -1]),
            (Conv, Slice, Gather, Flatten),
        ),
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


def scale(*shape: int) -> nn.Parameter:
    """Constants of both signs, one of them 0."""
    values = torch.linspace(-0.7, 1.4, max(shape))
    values[1] = 0.0
    return nn.Parameter(values.view(shape))


def constants() -> dict[str, Case]:
    def on_images(call: Callable[[Wired, Tensor], Tensor], **parts: nn.Parameter) -> nn.Module:
        return Wired(
            lambda net, x: net["flat"](call(net, net["conv"](x))),
            conv=nn.Conv2d(3, 4, 3),
            flat=FLAT,
            **parts,
        )

    mean, deviation = torch.tensor([0.5, 0.4, 0.1]), torch.tensor([0.3, 0.2, 0.4])

    class Normalized(nn.Module):
        """Inputs are normalized by buffers, as torchvision's reference networks do."""

        mean: Tensor
        deviation: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", mean.view(1, 3, 1, 1))
            self.register_buffer("deviation", deviation.view(1, 3, 1, 1))
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv((x - self.mean) / self.deviation)
            return torch.flatten(x.relu(), start_dim=1)

    return {
        "normalized input": (Normalized(), (Conv, Conv, Flatten)),
        "scalars": (on_images(lambda net, x: 1 - (2 * x + 0.3) / 1.7), (Conv, Lut, Flatten)),
        "negative": (on_images(lambda net, x: -x), (Conv, Lut, Flatten)),
        "difference": (
            on_images(lambda net, x: x.relu() - x),
            (Conv, Lut, Lut, Add, Flatten),
        ),
        "sum with alpha": (
            on_images(lambda net, x: torch.add(x, x.relu(), alpha=1)),
            (Conv, Lut, Add, Flatten),
        ),
        "layer scale": (
            on_images(lambda net, x: x + x.relu() * net.tensor("gain"), gain=scale(4, 1, 1)),
            (Conv, Lut, Conv, Add, Flatten),
        ),
        "scale of features": (
            Wired(
                lambda net, x: torch.add(net["a"](net["flat"](x)) * net.tensor("gain"), 0.1).relu(),
                a=nn.Linear(243, 5),
                flat=FLAT,
                gain=scale(5),
            ),
            (Flatten, Linear, Reshape, Conv, Flatten, Lut, Lut),
        ),
        "learned scalar": (
            on_images(lambda net, x: x * net.tensor("gain"), gain=nn.Parameter(torch.tensor(0.6))),
            (Conv, Lut, Flatten),
        ),
    }


def rearrangements() -> dict[str, Case]:
    def shuffled(x: Tensor) -> Tensor:
        n, c, h, w = x.size()
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)

    def halves(net: Wired, x: Tensor) -> Tensor:
        first, second = net["a"](x).chunk(2, dim=1)
        second = second + net["b"](second)
        return net["flat"](torch.cat((first, second, net["b"](second)), dim=-3))

    def squeezed(net: Wired, x: Tensor) -> Tensor:
        x = net["a"](x)
        n, c = x.shape[:2]
        gate = torch.sigmoid(net["gate"](net["pool"](x).view(n, c)))
        return net["flat"](x * gate.view(n, c, 1, 1))

    def head(call: Callable[[Tensor], Tensor]) -> nn.Module:
        return Wired(
            lambda net, x: net["head"](call(net["conv"](x))),
            conv=nn.Conv2d(3, 4, 3),
            head=nn.Linear(196, 3),
        )

    def several(net: Wired, x: Tensor) -> Tensor:
        """As in the C2f blocks of YOLOv8."""
        parts = list(net["a"](x).chunk(2, 1))
        parts.extend(net[name](parts[-1]) for name in ("b", "c"))
        return net["flat"](torch.cat(parts, 1))

    flat: dict[str, nn.Module] = {
        "view by size": head(lambda x: x.view(x.size(0), -1)),
        "view by features": head(lambda x: x.view(-1, 196)),
        "view by product": head(lambda x: x.view(-1, x.size(1) * x.shape[2] * x.shape[3])),
        "reshape": head(lambda x: torch.reshape(x, (x.shape[0], -1))),
        "flatten": head(lambda x: x.flatten(1)),
        "two flattenings": head(lambda x: x.flatten(2).flatten(start_dim=1, end_dim=-1)),
    }
    return {
        **{name: (model, (Conv, Flatten, Linear)) for name, model in flat.items()},
        "features in another order": (
            head(lambda x: x.permute(0, 2, 3, 1).reshape(x.size(0), -1)),
            (Conv, Flatten, Gather, Linear),
        ),
        "squeeze": (
            Wired(
                lambda net, x: net["head"](net["pool"](net["conv"](x)).squeeze(-1).squeeze(-1)),
                conv=nn.Conv2d(3, 4, 3),
                pool=nn.AdaptiveAvgPool2d(1),
                head=nn.Linear(4, 3),
            ),
            (Conv, AvgPool, Flatten, Linear),
        ),
        "squeeze and excitation of features": (
            Wired(
                squeezed,
                a=nn.Conv2d(3, 4, 3),
                pool=nn.AdaptiveAvgPool2d(1),
                gate=nn.Linear(4, 4),
                flat=FLAT,
            ),
            (Conv, AvgPool, Flatten, Linear, Lut, Reshape, Mul, Flatten),
        ),
        "shuffle": (called(shuffled), (Conv, Gather, Flatten)),
        "ChannelShuffle": (convolved(nn.ChannelShuffle(2)), (Conv, Gather, Flatten)),
        "halves": (
            Wired(halves, a=nn.Conv2d(3, 4, 3), b=nn.Conv2d(2, 2, 3, padding=1), flat=FLAT),
            (Conv, Gather, Gather, Conv, Add, Conv, Concat, Flatten),
        ),
        "parts in a list": (
            Wired(
                several,
                a=nn.Conv2d(3, 4, 3),
                b=nn.Conv2d(2, 2, 3, padding=1),
                c=nn.Conv2d(2, 2, 1),
                flat=FLAT,
            ),
            (Conv, Gather, Gather, Conv, Conv, Concat, Flatten),
        ),
        "slices": (
            called(lambda x: torch.cat([x[:, ::2], x[:, :1] + x[:, 3:], x[:, [1]]], 1)),
            (Conv, Gather, Gather, Gather, Add, Gather, Concat, Flatten),
        ),
        "splits": (
            called(
                lambda x: (
                    torch.split(x, [1, 3], 1)[1]
                    + torch.cat(
                        [torch.tensor_split(x, (2,), dim=1)[0], torch.split(x, 1, dim=1)[2]], dim=1
                    )
                )
            ),
            (Conv, Gather, Gather, Gather, Concat, Add, Flatten),
        ),
        "cat of features": (
            Wired(
                lambda net, x: torch.cat([net["a"](net["flat"](x)), net["b"](net["flat"](x))], -1),
                a=nn.Linear(243, 3),
                b=nn.Linear(243, 2),
                flat=FLAT,
            ),
            (Flatten, Linear, Flatten, Linear, Concat),
        ),
        "cat of one tensor": (called(lambda x: torch.cat([x], 1)), (Conv, Flatten)),
        "pixel shuffle": (
            convolved(nn.PixelShuffle(2), nn.Conv2d(1, 2, 3)),
            (Conv, Flatten, Gather, Reshape, Conv, Flatten),
        ),
        "crop": (called(lambda x: x[:, :, 1:-1, ::2]), (Conv, Slice, Flatten)),
    }


def normalizations() -> dict[str, Case]:
    def norm() -> nn.Module:
        return normalized(nn.BatchNorm2d(4))

    def preactivated(net: Wired, x: Tensor) -> Tensor:
        x = net["a"](x)
        x = x + net["b"](torch.relu(net["norm"](x)))
        return net["flat"](torch.relu(net["last"](x)))

    def dense(net: Wired, x: Tensor) -> Tensor:
        x = net["a"](x)
        x = torch.cat([x, net["b"](functional.relu(net["norm"](x)))], 1)
        return net["flat"](functional.relu(net["last"](x)))

    return {
        "normalized first": (
            nn.Sequential(normalized(nn.BatchNorm2d(3)), nn.Conv2d(3, 4, 3), nn.Flatten()),
            (Conv, Conv, Flatten),
        ),
        "normalized behind a ReLU": (
            convolved(nn.ReLU(), norm(), nn.ReLU6()),
            (Conv, Conv, Flatten),
        ),
        "normalized twice": (convolved(norm(), norm()), (Conv, Conv, Flatten)),
        "normalized without gains": (
            convolved(nn.ReLU(), nn.BatchNorm2d(4, affine=False)),
            (Conv, Conv, Flatten),
        ),
        "normalized features": (
            nn.Sequential(
                nn.Flatten(),
                nn.Linear(243, 6),
                nn.ReLU(),
                normalized(nn.BatchNorm1d(6)),
                nn.Linear(6, 3),
            ),
            (Flatten, Linear, Reshape, Conv, Flatten, Linear),
        ),
        "preactivated": (
            Wired(
                preactivated,
                a=nn.Conv2d(3, 4, 3),
                b=nn.Conv2d(4, 4, 3, padding=1),
                norm=norm(),
                last=norm(),
                flat=FLAT,
            ),
            (Conv, Conv, Conv, Add, Conv, Flatten),
        ),
        "densely connected": (
            Wired(
                dense,
                a=nn.Conv2d(3, 4, 3),
                b=nn.Conv2d(4, 2, 3, padding=1),
                norm=norm(),
                last=normalized(nn.BatchNorm2d(6)),
                flat=FLAT,
            ),
            (Conv, Conv, Conv, Concat, Conv, Flatten),
        ),
    }


with seeded(0):
    ORDINARY: dict[str, Case] = {
        **poolings(),
        **functions(),
        **constants(),
        **rearrangements(),
        **normalizations(),
    }
