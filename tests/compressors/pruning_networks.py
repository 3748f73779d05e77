"""Networks to prune, plain ones and those that tie, join, split or reorder channels."""

import torch
from torch import Tensor, nn

from tests.networks import Wired


def named(**layers: nn.Module) -> nn.Sequential:
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model


def headed(channels: int, **layers: nn.Module) -> nn.Sequential:
    """Layers with global average pooling and a linear head of 4 logits."""
    return named(
        **layers, pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), head=nn.Linear(channels, 4)
    )


def depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


class Inverted(nn.Module):
    """An inverted residual block."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.widen = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()
        )
        self.depthwise = nn.Sequential(depthwise(hidden), nn.BatchNorm2d(hidden), nn.ReLU6())
        self.narrow = nn.Sequential(
            nn.Conv2d(hidden, channels, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.narrow(self.depthwise(self.widen(x)))
        return x + y


class Residual(nn.Module):
    """A basic residual block."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(channels, hidden, 3, padding=1), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True)
        )
        self.second = nn.Sequential(
            nn.Conv2d(hidden, channels, 3, padding=1), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x))
        return torch.relu(x + y)


class Squeeze(nn.Module):
    """Squeeze and excite."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3), keepdim=True)))))


def plain() -> nn.Module:
    return headed(6, a=nn.Conv2d(3, 8, 3), relu0=nn.ReLU(), b=nn.Conv2d(8, 6, 3), relu1=nn.ReLU())


def normalized() -> nn.Module:
    first = [nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    second = [nn.Conv2d(8, 6, 3), nn.ReLU(inplace=True), nn.BatchNorm2d(6)]
    return headed(6, a=nn.Sequential(*first), b=nn.Sequential(*second), relu=nn.PReLU())


def separable() -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    block = nn.Sequential(
        depthwise(8),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 6, 1),
        nn.BatchNorm2d(6),
        nn.Hardswish(),
    )
    return headed(6, stem=stem, block=block)


def inverted() -> nn.Module:
    return headed(8, stem=nn.Conv2d(3, 8, 3), one=Inverted(8, 12), two=Inverted(8, 10))


def residual() -> nn.Module:
    return headed(8, stem=nn.Conv2d(3, 8, 3), stage=nn.Sequential(Residual(8, 6), Residual(8, 4)))


def flattened() -> nn.Module:
    layers = {
        "a": nn.Conv2d(3, 8, 3),
        "relu": nn.ReLU(),
        "pool": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
    }
    return named(
        **layers, norm=nn.BatchNorm1d(72), b=nn.Linear(72, 10), act=nn.ReLU(), head=nn.Linear(10, 4)
    )


def squeezed() -> nn.Module:
    return headed(6, a=nn.Conv2d(3, 8, 3), squeeze=Squeeze(8, 4), b=nn.Conv2d(8, 6, 1))


def joined() -> nn.Module:
    def run(net: Wired, x: Tensor) -> Tensor:
        y = torch.relu(net["norm"](torch.cat([net["a"](x), net["b"](x)], 1)))
        return net["head"](torch.relu(net["c"](y)).mean((2, 3)))

    # Registered in another order than that of the forward pass.
    parts = {"head": nn.Linear(6, 4), "c": nn.Conv2d(10, 6, 1), "norm": nn.BatchNorm2d(10)}
    return Wired(run, **parts, b=nn.Conv2d(3, 6, 3), a=nn.Conv2d(3, 4, 3))


def joined_depthwise() -> nn.Module:
    def run(net: Wired, x: Tensor) -> Tensor:
        return net["head"](
            net["point"](net["depth"](torch.cat([net["a"](x), net["b"](x)], 1))).mean((2, 3))
        )

    parts = {"a": nn.Conv2d(3, 4, 3), "b": nn.Conv2d(3, 6, 3), "depth": depthwise(10)}
    return Wired(run, **parts, point=nn.Conv2d(10, 6, 1), head=nn.Linear(6, 4))


def padded_shortcut() -> nn.Module:
    """A residual block that halves the image and adds channels; its shortcut is padded with channels
    of zeros (He et al., 2016).
    """

    def run(net: Wired, x: Tensor) -> Tensor:
        y = torch.relu(net["stem"](x))
        shortcut = nn.functional.pad(y[:, :, ::2, ::2], (0, 0, 0, 0, 0, 4))
        return net["head"](
            torch.relu(net["second"](torch.relu(net["first"](y))) + shortcut).mean((2, 3))
        )

    first, second = nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.Conv2d(6, 8, 3, padding=1)
    return Wired(run, stem=nn.Conv2d(3, 4, 3), first=first, second=second, head=nn.Linear(8, 4))


def shuffle_unit() -> nn.Module:
    """Half of the channels are convolved, and all are shuffled (ShuffleNet V2, Ma et
    al., 2018).
    """

    def run(net: Wired, x: Tensor) -> Tensor:
        left, right = net["stem"](x).chunk(2, 1)
        y = torch.cat([left, torch.relu(net["branch"](right))], 1)
        count, channels, height, width = y.shape
        y = (
            y.view(count, 2, channels // 2, height, width)
            .transpose(1, 2)
            .reshape(count, channels, height, width)
        )
        return net["head"](torch.relu(net["last"](y)).mean((2, 3)))

    branch = nn.Sequential(nn.Conv2d(4, 5, 1), nn.ReLU(), depthwise(5), nn.Conv2d(5, 4, 1))
    return Wired(
        run, stem=nn.Conv2d(3, 8, 3), branch=branch, last=nn.Conv2d(8, 6, 1), head=nn.Linear(6, 4)
    )


def dense() -> nn.Module:
    def run(net: Wired, x: Tensor) -> Tensor:
        y = torch.relu(net["a"](x))
        return net["head"](torch.cat([y, torch.relu(net["b"](y))], 1).mean((2, 3)))

    return Wired(run, a=nn.Conv2d(3, 8, 3), b=nn.Conv2d(8, 6, 3, padding=1), head=nn.Linear(14, 4))


def shared() -> nn.Module:
    mix = nn.Conv2d(8, 8, 1)
    return headed(8, a=nn.Conv2d(3, 8, 3), mix=mix, relu=nn.ReLU(), again=mix)


def gained() -> nn.Module:
    def run(net: Wired, x: Tensor) -> Tensor:
        return net["head"]((net["a"](x) * net.tensor("gain")).mean((2, 3)))

    return Wired(
        run, a=nn.Conv2d(3, 8, 3), gain=nn.Parameter(torch.rand(1, 8, 1, 1)), head=nn.Linear(8, 4)
    )
