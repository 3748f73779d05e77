"""The networks that compression is measured on: three residual ones of convolutions, and one of linear layers."""

from itertools import pairwise

from torch import Tensor, nn

from benchmarks.deep_compression import lenet_300_100 as deep_compression_case


class Block(nn.Module):
    """Two convolutions and a shortcut, which has a convolution of its own where shapes change."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        body = [*_convolution(inputs, outputs, 3, stride), nn.ReLU()]
        self.body = nn.Sequential(*body, *_convolution(outputs, outputs, 3, 1))
        changes = inputs != outputs or stride > 1
        shortcut = _convolution(inputs, outputs, 1, stride) if changes else [nn.Identity()]
        self.shortcut, self.relu = nn.Sequential(*shortcut), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, outputs, H / stride, W / stride] of [N, inputs, H, W]."""
        result: Tensor = self.relu(self.body(x) + self.shortcut(x))
        return result


class Bottleneck(nn.Module):
    """An inverted residual with a linear bottleneck (Sandler et al., 2018): 1x1 to `expansion` times
    the channels, 3x3 for each channel, 1x1 to `outputs`; a sum where shapes stay.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        widen = [*_convolution(inputs, hidden, 1, 1), nn.ReLU6()] if expansion > 1 else []
        each = [*_convolution(hidden, hidden, 3, stride, hidden), nn.ReLU6()]
        self.body = nn.Sequential(*widen, *each, *_convolution(hidden, outputs, 1, 1))
        self.adds = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """[N, outputs, H / stride, W / stride] of [N, inputs, H, W]."""
        result: Tensor = x + self.body(x) if self.adds else self.body(x)
        return result


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1
) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(outputs)]


def _headed(model: nn.Sequential, features: int, classes: int) -> nn.Sequential:
    model.add_module("pool", nn.AdaptiveAvgPool2d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(features, classes))
    return model


def resnet8(channels: int, classes: int) -> nn.Module:
    """A stem of 16 channels, three blocks of 16, 32 and 64, and a head: 77,754 parameters for one
    channel and ten classes.
    """
    model = nn.Sequential()
    model.add_module("stem", nn.Sequential(*_convolution(channels, 16, 3, 1), nn.ReLU()))
    for number, (inputs, outputs, stride) in enumerate(((16, 16, 1), (16, 32, 2), (32, 64, 2))):
        model.add_module(f"block{number}", Block(inputs, outputs, stride))
    return _headed(model, 64, classes)


def resnet18(channels: int, classes: int) -> nn.Module:
    """The blocks of ResNet-18 (He et al., 2016), two at each of four widths, a quarter as wide: 16,
    32, 64 and 128 channels, after a 3x3 stem of stride 2.
    """
    model = nn.Sequential()
    model.add_module("stem", nn.Sequential(*_convolution(channels, 16, 3, 2), nn.ReLU()))
    for stage, (inputs, outputs) in enumerate(pairwise((16, 16, 32, 64, 128))):
        stride = 1 if inputs == outputs else 2
        model.add_module(f"block{stage}_0", Block(inputs, outputs, stride))
        model.add_module(f"block{stage}_1", Block(outputs, outputs, 1))
    return _headed(model, 128, classes)


def mobilenet_v2(channels: int, classes: int) -> nn.Module:
    """MobileNetV2 (Sandler et al., 2018) at half its width without its last two stages, for small
    images: 13 bottlenecks of 8 to 48 channels, of which those of 16 begin without a stride, between
    a 3x3 stem of stride 2 and a 1x1 convolution to 320 channels.
    """
    model = nn.Sequential()
    model.add_module("stem", nn.Sequential(*_convolution(channels, 16, 3, 2), nn.ReLU6()))
    inputs, number = 16, 0
    for expansion, outputs, blocks, stride in (
        (1, 8, 1, 1),
        (6, 16, 2, 1),
        (6, 16, 3, 2),
        (6, 32, 4, 2),
        (6, 48, 3, 1),
    ):
        for index in range(blocks):
            block = Bottleneck(inputs, outputs, stride if index == 0 else 1, expansion)
            model.add_module(f"block{number}", block)
            inputs, number = outputs, number + 1
    model.add_module("last", nn.Sequential(*_convolution(inputs, 320, 1, 1), nn.ReLU6()))
    return _headed(model, 320, classes)


def lenet_300_100(channels: int, classes: int) -> nn.Module:
    """Two hidden layers of 300 and 100 units (LeCun et al., 1998), 266,610 parameters, for images of
    784 values and ten classes.

    Raises:
        ValueError: if there is not one channel and ten classes.
    """
    if (channels, classes) != (1, 10):
        raise ValueError(
            f"LeNet-300-100 must have one channel and ten classes, but got {channels} and {classes}"
        )
    return deep_compression_case().network
