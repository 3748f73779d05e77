"""The families of networks, and what is refused of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from tests.zoo.attention_networks import ConvNeXt, VisionTransformer
from tests.zoo.branching_networks import GoogLeNet, UNet, YoloNeck
from tests.zoo.first_networks import AlexNet, LeNet5, MnistNet, Vgg, sigmoid_lenet
from tests.zoo.mobile_networks import (
    EfficientNet,
    MobileNetV1,
    MobileNetV2,
    MobileNetV3,
    ShuffleNetV2,
    SqueezeNet,
)
from tests.zoo.residual_networks import (
    BasicBlock,
    Bottleneck,
    CifarResNet,
    DenseNet,
    PreActResNet,
    ResNet,
)
from tests.zoo.signal_networks import Cnn1d, DsCnn, KeywordLstm, Tcn


@dataclass(frozen=True)
class Family:
    """What makes a network, and the shape of a sample, without the batch.

    `left` is the share of the parameters, in percent, that pruning to half leaves, `kept` what it
    leaves alone and why, and `refused` what has no integer form, by its name.
    """

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    left: int = 0
    kept: str = ""
    refused: str = ""


VIEW = "a view has the width written in it"

FAMILIES: Mapping[str, Family] = {
    "LeNet-5": Family(LeNet5, (1, 32, 32), 26),
    "LeNet-5 with sigmoids": Family(sigmoid_lenet, (1, 28, 28), 26),
    "CNN for MNIST": Family(MnistNet, (1, 28, 28), 50, VIEW),
    "AlexNet": Family(AlexNet, (3, 224, 224), 29),
    "VGG-16": Family(Vgg, (3, 32, 32), 27),
    "ResNet-18": Family(lambda: ResNet(BasicBlock, [2, 2, 2, 2]), (3, 32, 32), 28),
    "ResNet-50": Family(lambda: ResNet(Bottleneck, [3, 4, 6, 3], planes=2), (3, 32, 32), 29),
    "ResNet for CIFAR": Family(CifarResNet, (3, 16, 16), 52, "shortcuts are padded with channels"),
    "pre-activation ResNet": Family(PreActResNet, (3, 16, 16), 27),
    "ResNeXt": Family(
        lambda: ResNet(Bottleneck, [1, 1, 1, 1], groups=2),
        (3, 32, 32),
        62,
        "convolutions have groups",
    ),
    "DenseNet": Family(DenseNet, (3, 16, 16), 30),
    "Inception": Family(GoogLeNet, (3, 16, 16), 49, "the auxiliary head gives no logits"),
    "SqueezeNet": Family(SqueezeNet, (3, 32, 32), 32),
    "MobileNetV1": Family(MobileNetV1, (3, 32, 32), 49, VIEW),
    "MobileNetV2": Family(MobileNetV2, (3, 32, 32), 36),
    "MobileNetV3": Family(MobileNetV3, (3, 32, 32), 35),
    "ShuffleNetV2": Family(ShuffleNetV2, (3, 16, 16), 58, "channels are shuffled"),
    "EfficientNet": Family(EfficientNet, (3, 16, 16), 38),
    "YOLOv8's neck": Family(YoloNeck, (3, 32, 32), 40, "chunks are read apart"),
    "U-Net": Family(UNet, (1, 16, 16), 26),
    "U-Net, transposed": Family(lambda: UNet(transposed=True), (1, 16, 16), 26),
    "DS-CNN": Family(DsCnn, (1, 49, 10), 46),
    "CNN for signals": Family(Cnn1d, (9, 128), 28),
    "TCN": Family(Tcn, (9, 128), 31),
    "LSTM": Family(KeywordLstm, (49, 10), refused="LSTM"),
    "vision transformer": Family(VisionTransformer, (3, 32, 32), refused="expand"),
    "ConvNeXt": Family(ConvNeXt, (3, 32, 32), refused="LayerNorm"),
}
