import pytest
import torch

from benchmarks.gpu import synthetic
from benchmarks.quantized_step import network
from benchmarks.training_loop import calls, ours, shares, textbook


def test_both_loops_learn_the_same_task() -> None:
    task = synthetic(320, (1, 8, 8)).first(320)
    for train in (textbook, ours):
        assert train(network("separable", 8), task, 12) > 0.3


def test_operations_are_those_of_all_convolutions() -> None:
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Conv2d(4, 4, 3, groups=4)
    )
    found = calls(model, torch.zeros(2, 1, 6, 6))
    assert [call.operations for call in found] == [2 * 2 * 4 * 36 * 9, 2 * 2 * 4 * 16 * 9]
    assert not any(module._forward_hooks for module in model.modules())


def test_shares_sum_to_one() -> None:
    layer = torch.nn.Conv2d(1, 4, 3)
    found = shares(lambda: layer(torch.rand(2, 1, 8, 8)).relu().sum().backward(), 2)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["convolution"] > 0
    assert found["ReLU"] > 0
