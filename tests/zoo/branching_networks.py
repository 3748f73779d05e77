"""Networks with several branches: Inception, a YOLO's neck and U-Nets."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as everyone writes it


class BasicConv2d(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.bn(x)
        return F.relu(x, inplace=True)


class InceptionBlock(nn.Module):
    def __init__(self, in_channels: int, a: int, b: int, c: int, d: int) -> None:
        super().__init__()
        self.branch1 = BasicConv2d(in_channels, a, 1)
        self.branch2 = nn.Sequential(BasicConv2d(in_channels, b, 1), BasicConv2d(b, b + 2, 3, 1))
        self.branch3 = nn.Sequential(BasicConv2d(in_channels, c, 1), BasicConv2d(c, c + 1, 3, 1))
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True),
            BasicConv2d(in_channels, d, 1),
        )

    def _forward(self, x: Tensor) -> list[Tensor]:
        return [self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)]

    def forward(self, x: Tensor) -> Tensor:
        outputs = self._forward(x)
        return torch.cat(outputs, 1)


class AuxiliaryHead(nn.Module):
    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.conv = BasicConv2d(in_channels, 4, 1)
        self.fc = nn.Linear(4 * 4 * 4, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(x, (4, 4))
        x = torch.flatten(self.conv(x), 1)
        logits: Tensor = self.fc(F.dropout(x, 0.7, training=self.training))
        return logits


class GoogLeNet(nn.Module):
    """Branches of several kernels, and an auxiliary head in training (Szegedy et al., 2015)."""

    def __init__(self, classes: int = 5, aux_logits: bool = True) -> None:
        super().__init__()
        self.aux_logits = aux_logits
        self.conv1 = BasicConv2d(3, 6, 3, 1)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = InceptionBlock(6, 4, 3, 2, 2)
        self.inception3b = InceptionBlock(14, 4, 4, 2, 3)
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.aux = AuxiliaryHead(16, classes) if aux_logits else None
        self.inception4a = InceptionBlock(16, 4, 4, 2, 3)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = self.maxpool1(self.conv1(x))
        x = self.inception3a(x)
        x = self.maxpool3(self.inception3b(x))
        aux = self.aux(x) if self.aux is not None and self.training else None
        x = self.inception4a(x)
        x = F.adaptive_avg_pool2d(x, (1, 1))
        x = torch.flatten(x, 1)
        x = self.fc(self.dropout(x))
        return x if aux is None else (x, aux)


def autopad(k: int, p: int | None = None) -> int:
    return k // 2 if p is None else p


class Conv(nn.Module):
    default_act = nn.SiLU()

    def __init__(self, c1: int, c2: int, k: int = 1, s: int = 1, act: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, autopad(k), bias=False)
        self.bn = nn.BatchNorm2d(c2, eps=1e-3, momentum=0.03)
        self.act = self.default_act if act is True else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))  # type: ignore[no-any-return]


class YoloBottleneck(nn.Module):
    def __init__(self, c1: int, c2: int, shortcut: bool = True) -> None:
        super().__init__()
        self.cv1 = Conv(c1, c2, 3)
        self.cv2 = Conv(c2, c2, 3)
        self.add = shortcut and c1 == c2

    def forward(self, x: Tensor) -> Tensor:
        return x + self.cv2(self.cv1(x)) if self.add else self.cv2(self.cv1(x))  # type: ignore[no-any-return]


class C2f(nn.Module):
    def __init__(self, c1: int, c2: int, n: int = 1, shortcut: bool = False) -> None:
        super().__init__()
        self.c = c2 // 2
        self.cv1 = Conv(c1, 2 * self.c)
        self.cv2 = Conv((2 + n) * self.c, c2)
        self.m = nn.ModuleList(YoloBottleneck(self.c, self.c, shortcut) for _ in range(n))

    def forward(self, x: Tensor) -> Tensor:
        y = list(self.cv1(x).chunk(2, 1))
        y.extend(m(y[-1]) for m in self.m)
        return self.cv2(torch.cat(y, 1))  # type: ignore[no-any-return]


class Sppf(nn.Module):
    def __init__(self, c1: int, c2: int, k: int = 5) -> None:
        super().__init__()
        c_ = c1 // 2
        self.cv1 = Conv(c1, c_)
        self.cv2 = Conv(c_ * 4, c2)
        self.m = nn.MaxPool2d(kernel_size=k, stride=1, padding=k // 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.cv1(x)
        y1 = self.m(x)
        y2 = self.m(y1)
        return self.cv2(torch.cat((x, y1, y2, self.m(y2)), 1))  # type: ignore[no-any-return]


class YoloNeck(nn.Module):
    """A backbone, a neck of two scales and a head of one, as in YOLOv8 (Jocher et al., 2023)."""

    def __init__(self, outputs: int = 6) -> None:
        super().__init__()
        self.stem = Conv(3, 4, 3, 2)
        self.stage1 = nn.Sequential(Conv(4, 8, 3, 2), C2f(8, 8, 1, True))
        self.stage2 = nn.Sequential(Conv(8, 12, 3, 2), C2f(12, 12, 1, True), Sppf(12, 12))
        self.upsample = nn.Upsample(None, 2, "nearest")
        self.neck1 = C2f(20, 8)
        self.down = Conv(8, 8, 3, 2)
        self.neck2 = C2f(20, 12)
        self.detect = nn.Sequential(Conv(12, 8, 3), nn.Conv2d(8, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        p3 = self.stage1(self.stem(x))
        p4 = self.stage2(p3)
        n3 = self.neck1(torch.cat([self.upsample(p4), p3], 1))
        n4 = self.neck2(torch.cat([self.down(n3), p4], 1))
        return self.detect(n4).flatten(1)  # type: ignore[no-any-return]


class DoubleConv(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, mid_channels: int | None = None):
        super().__init__()
        if not mid_channels:
            mid_channels = out_channels
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.double_conv(x)  # type: ignore[no-any-return]


class Up(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, transposed: bool) -> None:
        super().__init__()
        self.up: nn.Module
        if transposed:
            self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
        else:
            self.up = nn.Sequential(
                nn.Upsample(scale_factor=2), nn.Conv2d(in_channels, in_channels // 2, 1)
            )
        self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        x1 = self.up(x1)
        x = torch.cat([x2, x1], dim=1)
        return self.conv(x)  # type: ignore[no-any-return]


class UNet(nn.Module):
    """Down and up again, with connections across (Ronneberger et al., 2015); logits of each pixel."""

    def __init__(self, classes: int = 2, transposed: bool = False) -> None:
        super().__init__()
        self.inc = DoubleConv(1, 4)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(4, 8))
        self.down2 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(8, 16))
        self.up1 = Up(16, 8, transposed)
        self.up2 = Up(8, 4, transposed)
        self.outc = nn.Conv2d(4, classes, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x = self.up1(x3, x2)
        x = self.up2(x, x1)
        logits: Tensor = self.outc(x)
        return torch.flatten(logits, 1)
