import pytest
import torch
from torch import nn

from nas.measure import Operation, Roofline, operations

DEVICE = Roofline("board", macs_per_second=1000.0, bytes_per_second=100.0)


def step(macs: int, weight_bytes: int, output_bytes: int, *inputs: int) -> Operation:
    return Operation("step", macs, {"weight": weight_bytes}, output_bytes, inputs, False)


def test_each_operation_takes_the_slower_of_arithmetic_and_traffic() -> None:
    busy = step(5000, 20, 20, -1)  # 5 s of arithmetic, (20 + 10 + 20) / 100 = 0.5 s of traffic
    idle = step(10, 50, 30, 0)  # 0.01 s of arithmetic, (50 + 20 + 30) / 100 = 1 s of traffic
    assert DEVICE.latency((busy,), 10) == pytest.approx(5.0)
    assert DEVICE.latency((busy, idle), 10) == pytest.approx(6.0)


def test_traffic_is_all_that_is_read_and_written() -> None:
    steps = (step(0, 0, 40, -1), step(0, 0, 60, -1), step(0, 7, 3, 0, 1, -1))
    assert DEVICE.latency(steps, 10) == pytest.approx((10 + 40 + 10 + 60 + 7 + 40 + 60 + 10 + 3) / 100)


def test_no_operations_take_no_time() -> None:
    assert DEVICE.latency((), 10) == 0


def test_a_network_by_hand() -> None:
    # 12 MACs in 0.012 s; 48 + 12 bytes of weights, 16 read and 12 written in 0.88 s; then 12 read and written.
    steps = operations(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), torch.zeros(5, 4))
    assert DEVICE.latency(steps, 16) == pytest.approx(0.88 + 0.24)


@pytest.mark.parametrize("rates", [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0), (1.0, float("nan"))])
def test_rates_that_are_not_positive_are_refused(rates: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="rates of a device must be positive, but got"):
        Roofline("board", *rates)
