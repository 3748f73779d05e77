from collections.abc import Callable

import pytest
import torch
from torch import nn

from benchmarks.gpu import synthetic
from benchmarks.training_loop import calls, ours, shares, textbook
from nas import Task
from nas.seeds import seeded


@pytest.mark.parametrize("train", [textbook, ours])
def test_each_loop_learns(train: Callable[[nn.Module, Task, int], float]) -> None:
    with seeded(0):
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)
        )
        assert train(model, synthetic(320, (1, 8, 8)), 12) > 0.5


def test_operations_are_those_of_all_convolutions() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, groups=4))
    found = calls(model, torch.zeros(2, 1, 6, 6))
    assert [call.operations for call in found] == [2 * 2 * 4 * 36 * 9, 2 * 2 * 4 * 16 * 9]
    assert not any(module._forward_hooks for module in model.modules())


def test_shares_sum_to_one() -> None:
    layer = nn.Conv2d(1, 4, 3)
    found = shares(lambda: layer(torch.rand(2, 1, 8, 8)).relu().sum().backward(), 2)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["convolution"] > 0
    assert found["ReLU"] > 0
