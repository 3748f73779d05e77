"""Networks for small devices: MobileNets, EfficientNet, ShuffleNet and SqueezeNet."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as everyone writes it


def _make_divisible(v: float, divisor: int = 4) -> int:
    new_v = max(divisor, int(v + divisor / 2) // divisor * divisor)
    if new_v < 0.9 * v:
        new_v += divisor
    return new_v


class MobileNetV1(nn.Module):
    """Convolutions, depthwise and of single pixels (Howard et al., 2017)."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()

        def conv_bn(inp: int, oup: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inp, oup, 3, stride, 1, bias=False),
                nn.BatchNorm2d(oup),
                nn.ReLU(inplace=True),
            )

        def conv_dw(inp: int, oup: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inp, inp, 3, stride, 1, groups=inp, bias=False),
                nn.BatchNorm2d(inp),
                nn.ReLU(inplace=True),
                nn.Conv2d(inp, oup, 1, 1, 0, bias=False),
                nn.BatchNorm2d(oup),
                nn.ReLU(inplace=True),
            )

        self.model = nn.Sequential(
            conv_bn(3, 4, 2),
            conv_dw(4, 8, 1),
            conv_dw(8, 12, 2),
            conv_dw(12, 12, 1),
            conv_dw(12, 16, 2),
            nn.AvgPool2d(4),
        )
        self.fc = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.model(x)
        x = x.view(-1, 16)
        logits: Tensor = self.fc(x)
        return logits


class ConvBNReLU(nn.Sequential):
    def __init__(self, inp: int, oup: int, kernel: int = 3, stride: int = 1, groups: int = 1):
        super().__init__(
            nn.Conv2d(inp, oup, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
            nn.BatchNorm2d(oup),
            nn.ReLU6(inplace=True),
        )


class InvertedResidual(nn.Module):
    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: int) -> None:
        super().__init__()
        hidden_dim = round(inp * expand_ratio)
        self.use_res_connect = stride == 1 and inp == oup
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers.append(ConvBNReLU(inp, hidden_dim, kernel=1))
        layers.extend(
            [
                ConvBNReLU(hidden_dim, hidden_dim, stride=stride, groups=hidden_dim),
                nn.Conv2d(hidden_dim, oup, 1, 1, 0, bias=False),
                nn.BatchNorm2d(oup),
            ]
        )
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        if self.use_res_connect:
            return x + self.conv(x)  # type: ignore[no-any-return] # a tensor
        return self.conv(x)  # type: ignore[no-any-return] # a tensor


class MobileNetV2(nn.Module):
    """Inverted residuals (Sandler et al., 2018)."""

    def __init__(self, classes: int = 5, width_mult: float = 0.25) -> None:
        super().__init__()
        input_channel = _make_divisible(16 * width_mult)
        features: list[nn.Module] = [ConvBNReLU(3, input_channel, stride=2)]
        for t, c, n, s in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 2, 2), (6, 64, 1, 1)]:
            output_channel = _make_divisible(c * width_mult)
            for i in range(n):
                stride = s if i == 0 else 1
                features.append(InvertedResidual(input_channel, output_channel, stride, t))
                input_channel = output_channel
        features.append(ConvBNReLU(input_channel, 24, kernel=1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(24, classes))

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x = x.mean([2, 3])
        logits: Tensor = self.classifier(x)
        return logits


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, squeeze_factor: int = 4) -> None:
        super().__init__()
        squeeze_channels = _make_divisible(channels // squeeze_factor)
        self.fc1 = nn.Conv2d(channels, squeeze_channels, 1)
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(squeeze_channels, channels, 1)

    def _scale(self, input: Tensor, inplace: bool) -> Tensor:  # noqa: A002 - as it is written
        scale = F.adaptive_avg_pool2d(input, 1)
        scale = self.fc1(scale)
        scale = self.relu(scale)
        scale = self.fc2(scale)
        return F.hardsigmoid(scale, inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as it is written
        scale = self._scale(input, True)
        return scale * input


class MobileNetV3Block(nn.Module):
    def __init__(
        self, inp: int, expanded: int, oup: int, kernel: int, stride: int, se: bool, hs: bool
    ) -> None:
        super().__init__()
        self.use_res_connect = stride == 1 and inp == oup
        activation = nn.Hardswish if hs else nn.ReLU
        layers: list[nn.Module] = []
        padding = (kernel - 1) // 2
        for arguments in (
            (inp, expanded, 1, 1, 0, 1),
            (expanded, expanded, kernel, stride, padding, expanded),
        ):
            i, o, k, s, p, g = arguments
            layers.append(
                nn.Sequential(
                    nn.Conv2d(i, o, k, s, p, groups=g, bias=False),
                    nn.BatchNorm2d(o, eps=0.001, momentum=0.01),
                    activation(inplace=True),
                )
            )
        if se:
            layers.append(SqueezeExcitation(expanded))
        layers.append(nn.Conv2d(expanded, oup, 1, bias=False))
        layers.append(nn.BatchNorm2d(oup, eps=0.001, momentum=0.01))
        self.block = nn.Sequential(*layers)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as it is written
        result: Tensor = self.block(input)
        if self.use_res_connect:
            result += input
        return result


class MobileNetV3(nn.Module):
    """Squeeze-and-excitation and functions of lines (Howard et al., 2019)."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8, eps=0.001, momentum=0.01),
            nn.Hardswish(),
            MobileNetV3Block(8, 8, 8, 3, 2, True, False),
            MobileNetV3Block(8, 16, 12, 3, 1, False, False),
            MobileNetV3Block(12, 24, 12, 5, 1, True, True),
            MobileNetV3Block(12, 16, 16, 5, 2, True, True),
            nn.Conv2d(16, 24, 1, bias=False),
            nn.BatchNorm2d(24, eps=0.001, momentum=0.01),
            nn.Hardswish(inplace=True),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(24, 16),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=0.2, inplace=True),
            nn.Linear(16, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        logits: Tensor = self.classifier(x)
        return logits


def drop_path(x: Tensor, drop_prob: float = 0.0, training: bool = False) -> Tensor:
    if drop_prob == 0.0 or not training:
        return x
    keep_prob = 1 - drop_prob
    shape = (x.shape[0],) + (1,) * (x.ndim - 1)
    random_tensor = x.new_empty(shape).bernoulli_(keep_prob)
    random_tensor.div_(keep_prob)
    return x * random_tensor


class DropPath(nn.Module):
    """Stochastic depth (Huang et al., 2016)."""

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        return drop_path(x, self.drop_prob, self.training)


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)


class MBConv(nn.Module):
    def __init__(self, inp: int, oup: int, expand: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden = inp * expand
        self.expand_conv = nn.Conv2d(inp, hidden, 1, bias=False)
        self.bn0 = nn.BatchNorm2d(hidden, momentum=0.01, eps=1e-3)
        self.depthwise_conv = nn.Conv2d(
            hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False
        )
        self.bn1 = nn.BatchNorm2d(hidden, momentum=0.01, eps=1e-3)
        self.se_reduce = nn.Conv2d(hidden, max(1, inp // 4), 1)
        self.se_expand = nn.Conv2d(max(1, inp // 4), hidden, 1)
        self.project_conv = nn.Conv2d(hidden, oup, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(oup, momentum=0.01, eps=1e-3)
        self.swish = Swish()
        self.drop_path = DropPath(0.2)
        self.skip = stride == 1 and inp == oup

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.swish(self.bn0(self.expand_conv(inputs)))
        x = self.swish(self.bn1(self.depthwise_conv(x)))
        squeezed = x.mean((2, 3), keepdim=True)
        squeezed = self.se_expand(F.silu(self.se_reduce(squeezed)))
        x = torch.sigmoid(squeezed) * x
        x = self.bn2(self.project_conv(x))
        if self.skip:
            x = self.drop_path(x) + inputs
        return x  # type: ignore[no-any-return] # a tensor


class EfficientNet(nn.Module):
    """Inverted residuals with squeeze-and-excitation and SiLU (Tan and Le, 2019)."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.SiLU(inplace=True)
        )
        self.blocks = nn.Sequential(
            MBConv(8, 8, 1, 3, 1), MBConv(8, 12, 3, 3, 2), MBConv(12, 12, 2, 5, 1)
        )
        self.head = nn.Sequential(
            nn.Conv2d(12, 16, 1, bias=False), nn.BatchNorm2d(16), nn.SiLU(inplace=True)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2, inplace=True)
        self.fc = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(self.blocks(self.stem(x)))
        x = self.pool(x).flatten(start_dim=1)
        x = self.dropout(x)
        logits: Tensor = self.fc(x)
        return logits


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    batchsize, num_channels, height, width = x.size()
    channels_per_group = num_channels // groups
    x = x.view(batchsize, groups, channels_per_group, height, width)
    x = torch.transpose(x, 1, 2).contiguous()
    return x.view(batchsize, num_channels, height, width)


class ShuffleUnit(nn.Module):
    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        branch = oup // 2
        if stride > 1:
            self.branch1 = nn.Sequential(
                nn.Conv2d(inp, inp, 3, stride, 1, groups=inp, bias=False),
                nn.BatchNorm2d(inp),
                nn.Conv2d(inp, branch, 1, bias=False),
                nn.BatchNorm2d(branch),
                nn.ReLU(inplace=True),
            )
        self.branch2 = nn.Sequential(
            nn.Conv2d(inp if stride > 1 else branch, branch, 1, bias=False),
            nn.BatchNorm2d(branch),
            nn.ReLU(inplace=True),
            nn.Conv2d(branch, branch, 3, stride, 1, groups=branch, bias=False),
            nn.BatchNorm2d(branch),
            nn.Conv2d(branch, branch, 1, bias=False),
            nn.BatchNorm2d(branch),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            x1, x2 = x.chunk(2, dim=1)
            out = torch.cat((x1, self.branch2(x2)), dim=1)
        else:
            out = torch.cat((self.branch1(x), self.branch2(x)), dim=1)
        return channel_shuffle(out, 2)


class ShuffleNetV2(nn.Module):
    """Half of the channels are convolved, and all are shuffled (Ma et al., 2018)."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        )
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.stage2 = nn.Sequential(ShuffleUnit(8, 12, 2), ShuffleUnit(12, 12, 1))
        self.stage3 = nn.Sequential(ShuffleUnit(12, 16, 2), ShuffleUnit(16, 16, 1))
        self.conv5 = nn.Sequential(
            nn.Conv2d(16, 20, 1, bias=False), nn.BatchNorm2d(20), nn.ReLU(inplace=True)
        )
        self.fc = nn.Linear(20, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.conv1(x))
        x = self.stage3(self.stage2(x))
        x = self.conv5(x)
        x = x.mean([2, 3])
        logits: Tensor = self.fc(x)
        return logits


class Fire(nn.Module):
    def __init__(self, inplanes: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inplanes, squeeze, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze, expand, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze, expand, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat(
            [
                self.expand1x1_activation(self.expand1x1(x)),
                self.expand3x3_activation(self.expand3x3(x)),
            ],
            1,
        )


class SqueezeNet(nn.Module):
    """Narrow layers before concatenated ones (Iandola et al., 2016)."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, kernel_size=3, stride=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            Fire(8, 4, 6),
            Fire(12, 4, 6),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            Fire(12, 4, 8),
        )
        final_conv = nn.Conv2d(16, classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=0.5), final_conv, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x = self.classifier(x)
        return torch.flatten(x, 1)
