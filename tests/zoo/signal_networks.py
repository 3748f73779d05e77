"""Networks for sounds and sensors: DS-CNN and temporal convolutions."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as everyone writes it
from torch.nn.utils import weight_norm


class DsCnn(nn.Module):
    """A depthwise separable network for keywords in 49 frames of 10 coefficients (Zhang et al., 2017)."""

    def __init__(self, classes: int = 12, filters: int = 8, blocks: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, filters, (10, 4), stride=(2, 2), padding=(5, 1), bias=False)
        self.bn = nn.BatchNorm2d(filters)
        self.dropout1 = nn.Dropout(0.2)
        self.blocks = nn.Sequential()
        for i in range(blocks):
            self.blocks.add_module(
                f"ds{i}",
                nn.Sequential(
                    nn.Conv2d(filters, filters, 3, padding=1, groups=filters, bias=False),
                    nn.BatchNorm2d(filters),
                    nn.ReLU(),
                    nn.Conv2d(filters, filters, 1, bias=False),
                    nn.BatchNorm2d(filters),
                    nn.ReLU(),
                ),
            )
        self.dropout2 = nn.Dropout(0.4)
        self.avgpool = nn.AvgPool2d((25, 5))
        self.fc = nn.Linear(filters, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout1(F.relu(self.bn(self.conv(x))))
        x = self.dropout2(self.blocks(x))
        x = self.avgpool(x)
        x = x.squeeze(3).squeeze(2)
        logits: Tensor = self.fc(x)
        return logits


class Cnn1d(nn.Module):
    """Convolutions over the 128 samples of nine sensors, as for the recognition of activities."""

    def __init__(self, classes: int = 6) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(9, 12, kernel_size=5, padding=2)
        self.bn1 = nn.BatchNorm1d(12)
        self.conv2 = nn.Conv1d(12, 16, kernel_size=5, stride=2, padding=2)
        self.bn2 = nn.BatchNorm1d(16)
        self.pool = nn.MaxPool1d(2)
        self.fc1 = nn.Linear(16 * 16, 24)
        self.fc2 = nn.Linear(24, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        x = self.pool(F.relu(self.bn2(self.conv2(x))))
        x = x.view(x.shape[0], -1)
        x = F.dropout(F.relu(self.fc1(x)), 0.5, self.training)
        return F.log_softmax(self.fc2(x), dim=-1)


class Chomp1d(nn.Module):
    def __init__(self, chomp_size: int) -> None:
        super().__init__()
        self.chomp_size = chomp_size

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, : -self.chomp_size].contiguous()


class TemporalBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        padding = (kernel_size - 1) * dilation
        self.conv1 = weight_norm(
            nn.Conv1d(inputs, outputs, kernel_size, padding=padding, dilation=dilation)
        )
        self.chomp1 = Chomp1d(padding)
        self.relu1 = nn.ReLU()
        self.dropout1 = nn.Dropout(0.2)
        self.conv2 = weight_norm(
            nn.Conv1d(outputs, outputs, kernel_size, padding=padding, dilation=dilation)
        )
        self.chomp2 = Chomp1d(padding)
        self.relu2 = nn.ReLU()
        self.dropout2 = nn.Dropout(0.2)
        self.net = nn.Sequential(
            *(self.conv1, self.chomp1, self.relu1, self.dropout1),
            *(self.conv2, self.chomp2, self.relu2, self.dropout2),
        )
        self.downsample = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else None
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.net(x)
        res = x if self.downsample is None else self.downsample(x)
        return self.relu(out + res)  # type: ignore[no-any-return]


class Tcn(nn.Module):
    """Causal, dilated convolutions with normalized weights (Bai et al., 2018); the last step decides."""

    def __init__(self, classes: int = 6) -> None:
        super().__init__()
        layers = [TemporalBlock(9 if i == 0 else 8, 8, 3, 2**i) for i in range(3)]
        self.network = nn.Sequential(*layers)
        self.linear = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        y1 = self.network(x)
        return self.linear(y1[:, :, -1])  # type: ignore[no-any-return]


class KeywordLstm(nn.Module):
    """A recurrent network over frames."""

    def __init__(self, classes: int = 12) -> None:
        super().__init__()
        self.lstm = nn.LSTM(10, 16, num_layers=1, batch_first=True)
        self.fc = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.lstm(x)
        return self.fc(torch.relu(out[:, -1, :]))  # type: ignore[no-any-return]
