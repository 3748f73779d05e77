"""The networks that textbooks begin with: LeNet-5, the tutorial's network for MNIST, AlexNet, VGG."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as everyone writes it


class LeNet5(nn.Module):
    """Two convolutions and three linear layers (LeCun et al., 1998)."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 32)
        self.fc2 = nn.Linear(32, 20)
        self.fc3 = nn.Linear(20, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        logits: Tensor = self.fc3(x)
        return logits


def sigmoid_lenet(classes: int = 10) -> nn.Module:
    """LeNet-5 as Dive into Deep Learning has it: sigmoids and means (Zhang et al., 2023)."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid()),
        nn.AvgPool2d(kernel_size=2, stride=2),
        *(nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid()),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Flatten(),
        *(nn.Linear(16 * 5 * 5, 32), nn.Sigmoid()),
        *(nn.Linear(32, 20), nn.Sigmoid()),
        nn.Linear(20, classes),
    )


class MnistNet(nn.Module):
    """The network of many a first tutorial."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = x.view(-1, 320)
        x = F.relu(self.fc1(x))
        x = F.dropout(x, training=self.training)
        x = self.fc2(x)
        return F.log_softmax(x, dim=1)


class AlexNet(nn.Module):
    """Five convolutions, of which the first has large strides (Krizhevsky et al., 2012)."""

    def __init__(self, classes: int = 5, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(4, 8, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(8, 12, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(12, 8, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 8, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(8 * 6 * 6, 16),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(16, 16),
            nn.ReLU(inplace=True),
            nn.Linear(16, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        logits: Tensor = self.classifier(x)
        return logits


class Vgg(nn.Module):
    """VGG-16 with batch normalization (Simonyan and Zisserman, 2015), an eighth of it wide or less."""

    def __init__(self, classes: int = 5, init_weights: bool = True) -> None:
        super().__init__()
        self.features = self._make_layers(
            [4, 4, "M", 6, 6, "M", 8, 8, 8, "M", 8, 8, 8, "M", 8, 8, 8, "M"]
        )
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.classifier = nn.Sequential(
            nn.Linear(8, 16),
            nn.ReLU(True),
            nn.Dropout(),
            nn.Linear(16, 16),
            nn.ReLU(True),
            nn.Dropout(),
            nn.Linear(16, classes),
        )
        if init_weights:
            for m in self.modules():
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                    if m.bias is not None:
                        nn.init.constant_(m.bias, 0)
                elif isinstance(m, nn.BatchNorm2d):
                    nn.init.constant_(m.weight, 1)
                    nn.init.constant_(m.bias, 0)

    def _make_layers(self, widths: list[int | str]) -> nn.Sequential:
        layers: list[nn.Module] = []
        in_channels = 3
        for v in widths:
            if isinstance(v, str):
                layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
            else:
                conv2d = nn.Conv2d(in_channels, v, kernel_size=3, padding=1)
                layers += [conv2d, nn.BatchNorm2d(v), nn.ReLU(inplace=True)]
                in_channels = v
        return nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x = self.avgpool(x)
        x = x.view(x.size(0), -1)
        logits: Tensor = self.classifier(x)
        return logits
