from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.measure import COSTS, Operation, costs

IMAGE = torch.ones(3, 1, 5, 5)


class Stopwatch:
    """A device that remembers what it was asked."""

    name = "stopwatch"

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def latency(self, steps: Sequence[Operation], input_bytes: int) -> float:
        self.asked.append((len(steps), input_bytes))
        return 0.25


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3))


def test_the_costs_of_a_float_network_by_hand() -> None:
    assert costs(network(), IMAGE) == {
        "size_bytes": 16 + 16 + 72 + 8 + 16 + 216 + 12,
        "params": 18 + 4 + 57,
        "macs": 162 + 54,
        "peak_memory_bytes": 100 + 72,
    }


def test_the_costs_of_a_quantised_network_by_hand() -> None:
    assert costs(Quantization().apply(network(), {"": 4}, IMAGE), IMAGE) == {
        "size_bytes": 16 + 16 + 9 + 8 + 8 + 5 + 16 + 27 + 12 + 12 + 5,
        "params": 18 + 4 + 57,
        "macs": 162 + 54,
        "peak_memory_bytes": 25 + 18,
    }


def test_costs_do_not_depend_on_the_batch_or_the_weights() -> None:
    expected = costs(network(), IMAGE)
    assert costs(network(), torch.randn(1, 1, 5, 5, generator=torch.Generator().manual_seed(0))) == expected


def test_latency_is_in_milliseconds_and_only_with_a_device() -> None:
    device = Stopwatch()
    measured = costs(network(), IMAGE, device)
    assert measured.keys() == set(COSTS)
    assert measured["latency_ms"] == 250.0
    assert device.asked == [(5, 100)]
    assert costs(network(), IMAGE).keys() == set(COSTS) - {"latency_ms"}
    costs(Quantization().apply(network(), {"": 4}, IMAGE), IMAGE, device)
    assert device.asked[1] == (5, 25)


def test_every_cost_is_a_float() -> None:
    assert {type(value) for value in costs(network(), IMAGE, Stopwatch()).values()} == {float}


def test_a_network_that_cannot_be_traced_is_refused() -> None:
    class Branching(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(ValueError, match=r"must be traceable by torch\.fx, without branches on values, but Branching: "):
        costs(Branching(), IMAGE)
