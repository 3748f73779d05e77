"""Random networks as people write them: what is read twice, changed in place, shared, tied or unused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 4


class Padded(nn.Conv2d):
    """A convolution that only says how it is made."""

    def __init__(self) -> None:
        super().__init__(WIDTH, WIDTH, 3, padding=1)


class Scaled(nn.Conv2d):
    """A convolution with a forward of its own."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        return 2.0 * super().forward(input)


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
)


def _added_in_place(x: Any, y: Tensor) -> Tensor:
    x += y
    return x  # type: ignore[no-any-return] # a tensor


FUNCTIONS: Sequence[Callable[[Tensor, Tensor], Tensor]] = (
    lambda x, y: x + y,
    _added_in_place,
    lambda x, y: x.add_(y),
    lambda x, y: functional.relu(x, inplace=True),
    lambda x, y: x.relu_(),
    lambda x, y: functional.relu(x),
    lambda x, y: torch.cat([x, y], 1)[:, :WIDTH],
    lambda x, y: torch.cat([x, y], 1)[:, 2 : 2 + WIDTH],
    lambda x, y: x.view(len(x), -1).view(x.shape),
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
    `unused`, so that some steps may be of no use.
    """

    def __init__(self, steps: Sequence[Step], unused: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.steps, self.unused = steps, unused
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
        logits: Tensor = self.head(self.flat(self.pool(last)))
        return logits


NETWORKS = st.builds(
    Drawn, steps=st.lists(STEPS, min_size=1, max_size=7), unused=st.sampled_from([0, 0, 0, 1, 2])
)
