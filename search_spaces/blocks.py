"""Blocks of convolutions: plain, separable and inverted; batch normalization follows every
convolution.
"""

from collections.abc import Callable

from torch import Tensor, nn

Block = Callable[[int, int, int], nn.Module]
"""Makes a block of its input channels, output channels and stride: it maps [N, inputs, H, W] to
[N, outputs, ⌈H / stride⌉, ⌈W / stride⌉].
"""


def plain(kernel: int) -> Block:
    """Blocks of one convolution with a square kernel."""
    return lambda inputs, outputs, stride: nn.Sequential(
        *_rectified(inputs, outputs, kernel, stride)
    )


def separable(kernel: int) -> Block:
    """Blocks of a depthwise and a pointwise convolution (MobileNet, Howard et al., 2017)."""
    return lambda inputs, outputs, stride: nn.Sequential(
        *_rectified(inputs, inputs, kernel, stride, inputs), *_rectified(inputs, outputs, 1)
    )


def inverted(kernel: int, expansion: int = 3) -> Block:
    """Blocks of an expansion to `expansion` times the channels, a depthwise convolution and a linear
    projection (MobileNetV2, Sandler et al., 2018).
    """

    def block(inputs: int, outputs: int, stride: int) -> nn.Module:
        hidden = expansion * inputs
        widen = _rectified(inputs, hidden, 1)
        depthwise = _rectified(hidden, hidden, kernel, stride, hidden)
        return nn.Sequential(*widen, *depthwise, *_convolution(hidden, outputs, 1))

    return block


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


def _rectified(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    return [*_convolution(inputs, outputs, kernel, stride, groups), nn.ReLU()]


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
