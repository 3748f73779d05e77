"""Random networks as people write them: what is read twice, changed in place, shared, tied or unused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, weight_norm

WIDTH = 4


class Padded(nn.Conv2d):
    """A convolution that only says how it is made."""

    def __init__(self) -> None:
        super().__init__(WIDTH, WIDTH, 3, padding=1)


class Scaled(nn.Conv2d):
    """A convolution with a forward of its own."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        return 2.0 * super().forward(input)


class Mixed(nn.Module):
    """A convolution of its input besides some channels of it: parts of different widths."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.mix = nn.Conv2d(WIDTH, 1, 1), nn.Conv2d(WIDTH + 3, WIDTH, 1)
        self.norm = nn.BatchNorm2d(WIDTH + 3)

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([self.narrow(x), x, x[:, 1:3]], 1)
        mixed: Tensor = self.mix(functional.relu(self.norm(joined)))
        return mixed


class Gained(nn.Module):
    """Parameters and buffers of channels, and numbers."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.randn(1, WIDTH, 1, 1))
        self.register_buffer("mean", torch.randn(WIDTH, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) * self.gain / 0.7


def _hooked(hook: Callable[..., Tensor | None]) -> nn.Module:
    conv = nn.Conv2d(WIDTH, WIDTH, 1)
    conv.register_forward_hook(hook)
    return conv


def _normalization() -> nn.Module:
    norm = nn.BatchNorm2d(WIDTH)
    for values in (norm.weight, norm.bias, norm.running_mean):
        assert values is not None
        values.data.normal_()
    return norm


MODULES: Sequence[Callable[[], nn.Module]] = (
    lambda: nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
    lambda: nn.Conv2d(WIDTH, WIDTH, 1, bias=False),
    lambda: nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH),
    Padded,
    lambda: Scaled(WIDTH, WIDTH, 1),
    _normalization,
    nn.ReLU,
    lambda: nn.ReLU(inplace=True),
    lambda: nn.Hardswish(inplace=True),
    lambda: nn.ReLU6(inplace=True),
    nn.Identity,
    lambda: nn.Dropout(0.5, inplace=True),
    lambda: nn.MaxPool2d(3, 1, 1),
    lambda: nn.AvgPool2d(3, 1, 1),
    nn.PReLU,
    lambda: nn.PReLU(WIDTH, init=-0.5),
    lambda: nn.Sequential(nn.MaxPool2d(4, ceil_mode=True), nn.Upsample(scale_factor=3)),
    lambda: nn.Sequential(
        nn.AvgPool2d(4, ceil_mode=True, count_include_pad=False), nn.UpsamplingNearest2d(6)
    ),
    lambda: weight_norm(nn.Conv2d(WIDTH, WIDTH, 3, padding=1)),
    lambda: parametrizations.weight_norm(nn.Conv2d(WIDTH, WIDTH, 1)),
    lambda: _hooked(lambda module, inputs, output: None),
    lambda: _hooked(lambda module, inputs, output: 2.0 * output),
    Mixed,
    Gained,
    lambda: nn.ChannelShuffle(2),
    lambda: nn.ConvTranspose2d(WIDTH, WIDTH, 3, padding=1, groups=2),
    lambda: nn.Sequential(
        nn.MaxPool2d(2), nn.ConvTranspose2d(WIDTH, WIDTH, 3, 2, 1, output_padding=1, bias=False)
    ),
    lambda: nn.Sequential(
        nn.AvgPool2d(3), nn.ConvTranspose2d(WIDTH, WIDTH, 2, 4, dilation=1), nn.BatchNorm2d(WIDTH)
    ),
)


def _added_in_place(x: Any, y: Tensor) -> Tensor:
    x += y
    return x  # type: ignore[no-any-return] # a tensor


def _halves(x: Tensor, y: Tensor) -> Tensor:
    first, second = x.chunk(2, 1)
    return torch.cat([second, first + y[:, 1:3]], 1)


def _half_in_place(x: Tensor, y: Tensor) -> Tensor:
    first, second = torch.split(x, 2, dim=1)
    return torch.cat([first.relu_(), second, x[:, :1]], 1)[:, 1:]


def _shuffled(x: Tensor, y: Tensor) -> Tensor:
    n, c, h, w = x.size()
    parts = x.reshape(n, 2, c // 2, h, w).transpose(1, 2)
    return parts.contiguous().view(n, c, h, w)


FUNCTIONS: Sequence[Callable[[Tensor, Tensor], Tensor]] = (
    lambda x, y: x + y,
    _added_in_place,
    lambda x, y: x.add_(y),
    lambda x, y: functional.relu(x, inplace=True),
    lambda x, y: x.relu_(),
    lambda x, y: functional.relu(x),
    lambda x, y: torch.cat([x, y], 1)[:, :WIDTH],
    lambda x, y: torch.cat([x, y], 1)[:, 2 : 2 + WIDTH],
    lambda x, y: x.contiguous().view(x.size(0), -1).view(x.shape),
    _halves,
    _half_in_place,
    _shuffled,
    lambda x, y: torch.cat([x[:, :1], y, x[:, 2:]], 1)[:, 1 : 1 + WIDTH],
    lambda x, y: torch.cat(list(torch.split(x, [1, 2, 1], 1))[::-1], 1),
    lambda x, y: 1 - 0.5 * x,
    lambda x, y: x.mul_(2).sub_(0.3),
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x * torch.sigmoid(y.mean((2, 3), keepdim=True)),
    lambda x, y: functional.hardsigmoid(functional.adaptive_avg_pool2d(x, 1)) * y,
    lambda x, y: x.transpose(2, 3),
    lambda x, y: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2),
    lambda x, y: x.transpose(-1, -2).flip(2),
    lambda x, y: functional.dropout(x, 0.3, training=False, inplace=True),
    lambda x, y: functional.dropout(functional.leaky_relu_(x, 0.2), training=False),
    lambda x, y: functional.max_pool2d(x, 3, 1, 1, ceil_mode=True),
    lambda x, y: functional.pad(x, (1, 0, 2, 1))[:, :, :6, :6],
    lambda x, y: x.clamp_(0, 1),
    lambda x, y: functional.pad(x[:, :, 1:-1, 2:], (1, 1, 1, 1)),
    lambda x, y: functional.interpolate(x[:, :, ::2, 1::2], scale_factor=2),
)

# What comes last, which a rewritten network may leave out: done again, it says the same.
ENDINGS: Sequence[Callable[[Tensor], Tensor]] = (
    lambda logits: logits,
    lambda logits: functional.log_softmax(logits, dim=1),
)


@dataclass(frozen=True)
class Step:
    """One operation: a new module, a function, or an earlier module again; of two earlier tensors."""

    what: int
    reads: int
    reads_too: int


STEPS = st.builds(
    Step,
    what=st.integers(0, len(MODULES) + len(FUNCTIONS) + 2),
    reads=st.integers(0, 3),
    reads_too=st.integers(0, 3),
)


class Drawn(nn.Module):
    """A network of `steps`, which read one of the last tensors each; the head reads the last but
    `unused`, so that some steps may be of no use; one of `ENDINGS` comes last.
    """

    def __init__(self, steps: Sequence[Step], unused: int, ending: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.steps, self.unused, self.ending = steps, unused, ENDINGS[ending]
        self.stem = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.layers = nn.ModuleList()
        self.calls = list[int | None]()
        for step in steps:
            self.calls.append(self._module(step))
        self.pool, self.flat, self.head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTH, 3)

    def _module(self, step: Step) -> int | None:
        """The place of the module that a step calls; None if it calls a function."""
        extra = step.what - len(MODULES) - len(FUNCTIONS)
        if step.what < len(MODULES):
            self.layers.append(MODULES[step.what]())
        elif extra < 0:
            return None
        elif extra == 0 and len(self.layers):
            return step.reads_too % len(self.layers)  # a layer that is called again
        else:
            self.layers.append(nn.Conv2d(WIDTH, WIDTH, 3, padding=1))
            if extra == 1:  # weights of another layer
                first = next(
                    layer
                    for layer in self.layers
                    if isinstance(layer, nn.Conv2d) and layer.weight.shape == (WIDTH, WIDTH, 3, 3)
                )
                self.layers[-1].weight = first.weight
        return len(self.layers) - 1

    def forward(self, x: Tensor) -> Tensor:
        tensors = [self.stem(x)]
        for step, call in zip(self.steps, self.calls, strict=True):
            x, y = (tensors[-1 - at % len(tensors)] for at in (step.reads, step.reads_too))
            if call is None:
                tensors.append(FUNCTIONS[step.what - len(MODULES)](x, y))
            else:
                tensors.append(self.layers[call](x))
        last = tensors[-1 - self.unused % len(tensors)]
        return self.ending(self.head(self.flat(self.pool(last))))


NETWORKS = st.builds(
    Drawn,
    steps=st.lists(STEPS, min_size=1, max_size=7),
    unused=st.sampled_from([0, 0, 0, 1, 2]),
    ending=st.sampled_from([0, 0, 1]),
)
