"""The families of networks, each with the shape of a sample, and how they are trained a little."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import nn

from tests.zoo.attention_networks import ConvNeXt, VisionTransformer
from tests.zoo.branching_networks import GoogLeNet, UNet, YoloNeck
from tests.zoo.first_networks import AlexNet, LeNet5, MnistNet, Vgg
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
    """What makes a network, and the shape of a sample, without the batch."""

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]


FAMILIES: Mapping[str, Family] = {
    "LeNet-5": Family(LeNet5, (1, 32, 32)),
    "CNN for MNIST": Family(MnistNet, (1, 28, 28)),
    "AlexNet": Family(AlexNet, (3, 224, 224)),
    "VGG-16": Family(Vgg, (3, 32, 32)),
    "ResNet-18": Family(lambda: ResNet(BasicBlock, [2, 2, 2, 2]), (3, 32, 32)),
    "ResNet-50": Family(lambda: ResNet(Bottleneck, [3, 4, 6, 3], planes=2), (3, 32, 32)),
    "ResNet for CIFAR": Family(CifarResNet, (3, 16, 16)),
    "pre-activation ResNet": Family(PreActResNet, (3, 16, 16)),
    "ResNeXt": Family(lambda: ResNet(Bottleneck, [1, 1, 1, 1], groups=2), (3, 32, 32)),
    "DenseNet": Family(DenseNet, (3, 16, 16)),
    "Inception": Family(GoogLeNet, (3, 16, 16)),
    "SqueezeNet": Family(SqueezeNet, (3, 32, 32)),
    "MobileNetV1": Family(MobileNetV1, (3, 32, 32)),
    "MobileNetV2": Family(MobileNetV2, (3, 32, 32)),
    "MobileNetV3": Family(MobileNetV3, (3, 32, 32)),
    "ShuffleNetV2": Family(ShuffleNetV2, (3, 16, 16)),
    "EfficientNet": Family(EfficientNet, (3, 16, 16)),
    "YOLOv8's neck": Family(YoloNeck, (3, 32, 32)),
    "U-Net": Family(UNet, (1, 16, 16)),
    "U-Net, transposed": Family(lambda: UNet(transposed=True), (1, 16, 16)),
    "DS-CNN": Family(DsCnn, (1, 49, 10)),
    "CNN for signals": Family(Cnn1d, (9, 128)),
    "TCN": Family(Tcn, (9, 128)),
    "LSTM": Family(KeywordLstm, (49, 10)),
    "vision transformer": Family(VisionTransformer, (3, 32, 32)),
    "ConvNeXt": Family(ConvNeXt, (3, 32, 32)),
}
