import numpy as np
import pytest

from nas.artifact import Linear, Operation, Program, Scaling, TensorType
from nas.artifact.operations import Add
from nas.measure import Roofline

DEVICE = Roofline("board", macs_per_second=1000.0, bytes_per_second=100.0)


def scaling(count: int) -> Scaling:
    return Scaling(np.ones(count, np.uint16), 8, 0, 255)


def linear(source: int, inputs: int, outputs: int, bits: int) -> Linear:
    weights, biases = np.ones((outputs, inputs), np.int8), np.zeros(outputs, np.int32)
    return Linear("linear", (source,), weights, bits, biases, scaling(outputs))


def program(sizes: tuple[int, ...], *operations: Operation) -> Program:
    return Program(tuple(TensorType((size,), 1.0, 0) for size in sizes), operations)


def test_each_operation_takes_the_slower_of_arithmetic_and_traffic() -> None:
    # 1000 MACs in 1 s, against 250 bytes of weights, 10 read and 100 written in 3.6 s.
    assert DEVICE.latency(program((10, 100), linear(0, 10, 100, 2))) == pytest.approx(3.6)
    busy = Roofline("board", macs_per_second=100.0, bytes_per_second=100.0)
    assert busy.latency(program((10, 100), linear(0, 10, 100, 2))) == pytest.approx(10.0)


def test_operations_run_one_after_the_other() -> None:
    both = program((4, 3, 2), linear(0, 4, 3, 8), linear(1, 3, 2, 4))
    # 12 bytes of weights, 4 read and 3 written; 3 of weights, 3 read and 2 written.
    assert DEVICE.latency(both) == pytest.approx((12 + 4 + 3) / 100 + (3 + 3 + 2) / 100)


def test_traffic_is_all_that_is_read_and_written() -> None:
    assert DEVICE.latency(program((7, 7), Add("add", (0, 0), scaling(2)))) == pytest.approx((7 + 7 + 7) / 100)


@pytest.mark.parametrize(("bits", "stored"), [(1, 2), (2, 3), (3, 5), (8, 12)])
def test_packed_weights_take_whole_bytes(bits: int, stored: int) -> None:
    assert DEVICE.latency(program((4, 3), linear(0, 4, 3, bits))) == pytest.approx((stored + 7) / 100)


@pytest.mark.parametrize("rates", [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0), (1.0, float("nan"))])
def test_rates_that_are_not_positive_are_refused(rates: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="rates of a device must be positive, but got"):
        Roofline("board", *rates)
