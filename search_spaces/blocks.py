"""Blocks of convolutions: plain, separable and inverted, with batch normalization behind every
convolution; and the head behind them.
"""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish,
    "tanh": nn.Tanh,
}
"""Activations by the names that choices use."""

Block = Callable[[int, int, int], nn.Module]
"""Makes a block of its input channels, output channels and stride: it maps [N, inputs, H, W] to
[N, outputs, ⌈H / stride⌉, ⌈W / stride⌉].
"""


def plain(kernel: int) -> Block:
    """Blocks of one convolution with a square kernel."""
    return lambda inputs, outputs, stride: nn.Sequential(
        *rectified(inputs, outputs, kernel, stride)
    )


def separable(kernel: int) -> Block:
    """Blocks of a depthwise and a pointwise convolution (MobileNet, Howard et al., 2017)."""
    return lambda inputs, outputs, stride: nn.Sequential(
        *rectified(inputs, inputs, kernel, stride, inputs), *rectified(inputs, outputs, 1)
    )


def inverted(
    kernel: int, expansion: int = 3, activation: str = "relu", squeeze: bool = False
) -> Block:
    """Blocks of an expansion to `expansion` times the channels, a depthwise convolution and a linear
    projection (MobileNetV2, Sandler et al., 2018).

    `activation`, of `ACTIVATIONS`, follows the first two; with `squeeze` a `Gate` follows them
    (MobileNetV3, Howard et al., 2019).
    """

    def block(inputs: int, outputs: int, stride: int) -> nn.Module:
        hidden = expansion * inputs
        widen = rectified(inputs, hidden, 1, activation=activation)
        depthwise = rectified(hidden, hidden, kernel, stride, hidden, activation)
        gate = [Gate(hidden)] if squeeze else []
        return nn.Sequential(*widen, *depthwise, *gate, *convolution(hidden, outputs, 1))

    return block


class Gate(nn.Module):
    """Squeeze and excite: each channel times a factor in 0 … 1 that follows from the means of all
    channels (Hu et al., 2018), with the hard sigmoid of MobileNetV3.

    Args:
        channels: input and output channels; a quarter of them are between the two layers
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        between = max(1, channels // 4)
        self.factors = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, between, 1),
            nn.ReLU(),
            nn.Conv2d(between, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """x, [N, channels, H, W], times the factors [N, channels, 1, 1]."""
        factors: Tensor = self.factors(x)
        return x * factors


class Residual(nn.Module):
    """A body whose input is added to its output (He et al., 2016).

    Nothing follows the sum: after a body that ends in a ReLU it is not negative if the input is
    not, so that integers need no sign.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """x + body(x), of the shape of x."""
        y: Tensor = self.body(x)
        return x + y


def rectified(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int],
    stride: int = 1,
    groups: int = 1,
    activation: str = "relu",
) -> list[nn.Module]:
    """A convolution, batch normalization, and an activation of `ACTIVATIONS`."""
    return [*convolution(inputs, outputs, kernel, stride, groups), ACTIVATIONS[activation]()]


def headed(model: nn.Sequential, channels: int, classes: int) -> nn.Sequential:
    """The layers of `model`, which give so many channels [N, channels, H, W], and then global average
    pooling and a linear head.
    """
    model.add_module("pool", nn.AdaptiveAvgPool2d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(channels, classes))
    return model


def convolution(
    inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """A convolution and batch normalization: [N, inputs, H, W] to [N, outputs, ⌈H / stride⌉,
    ⌈W / stride⌉] for odd kernels, a number or (height, width); an even side of a kernel adds one.
    """
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (height // 2, width // 2)
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
