import pytest
import torch
from torch import Tensor, nn

from compressors.quantization import Quantization
from nas.lowering import lower, lower_all_channels
from nas.measure import COSTS, costs
from nas.packed import flash_bytes
from nas.program import Program

IMAGE = torch.ones(3, 1, 5, 5)


class Stopwatch:
    """A device that remembers what it was asked."""

    name = "stopwatch"

    def __init__(self) -> None:
        self.asked: list[Program] = []

    def latency(self, program: Program) -> float:
        self.asked.append(program)
        return 0.25


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3)
    )


def quantized(bits: int, inputs: Tensor = IMAGE) -> nn.Module:
    return Quantization().apply(network(), {"": bits}, inputs)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_costs_of_a_network_by_hand(bits: int) -> None:
    model = quantized(bits)
    program = lower_all_channels(model, IMAGE)
    # The input 25, then 25 and the convolution's 18; flattened, that moves nothing; then 18 and 3.
    assert costs(model, program) == {
        "size_bytes": flash_bytes(program),
        "flash_bytes": flash_bytes(program),
        "params": 18 + 4 + 57,
        "macs": 162 + 54,
        "peak_memory_bytes": 25 + 18,
    }


def test_what_is_stored_grows_with_the_bits_of_the_weights_alone() -> None:
    sizes = {bits: flash_bytes(lower_all_channels(quantized(bits), IMAGE)) for bits in range(2, 9)}
    weights = {bits: -(-18 * bits // 8) + -(-54 * bits // 8) for bits in sizes}
    assert {bits: sizes[bits] - weights[bits] for bits in sizes} == dict.fromkeys(
        sizes, sizes[8] - 72
    )


def test_a_network_without_quantizers_costs_what_its_program_of_8_bits_does() -> None:
    assert costs(network(), lower_all_channels(network(), IMAGE)) == costs(
        quantized(8), lower_all_channels(quantized(8), IMAGE)
    )


def test_costs_do_not_depend_on_the_batch_or_the_weights() -> None:
    expected = costs(network(), lower_all_channels(network(), IMAGE))
    noise = torch.randn(1, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    assert costs(network(), lower_all_channels(network(), noise)) == expected


def test_latency_is_in_milliseconds_and_only_with_a_device() -> None:
    device, model = Stopwatch(), quantized(4)
    program = lower_all_channels(model, IMAGE)
    measured = costs(model, program, device)
    assert measured.keys() == set(COSTS)
    assert measured["latency_ms"] == 250.0
    assert device.asked == [program]
    assert costs(model, program).keys() == set(COSTS) - {"latency_ms"}


def test_every_cost_is_a_float() -> None:
    assert {
        type(value)
        for value in costs(network(), lower_all_channels(network(), IMAGE), Stopwatch()).values()
    } == {float}


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0])
def test_a_latency_that_is_no_time_is_refused(seconds: float) -> None:
    class Broken:
        name = "broken"

        def latency(self, program: Program) -> float:
            return seconds

    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(
        ValueError,
        match="the latency of a device must be finite seconds, 0 or more, but 'broken' gave",
    ):
        costs(model, lower(model, torch.rand(1, 1, 2, 2)), Broken())
