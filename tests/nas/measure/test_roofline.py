import math

import numpy as np
import pytest

from nas.measure.roofline import Roofline
from nas.program.operations import Add, AvgPool, Conv, Flatten, Linear
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights

ONES = np.ones(4, np.uint16)


def program(bits: int = 3) -> Program:
    """A grouped convolution, its sum with the input, a mean and a head."""
    image, vector = TensorType((4, 6, 6), 1.0, 0), TensorType((4, 1, 1), 1.0, 0)
    geometry = ((1, 1), (1, 1), (1, 1), 2)
    conv = Conv(
        "conv",
        (0,),
        Scaling(ONES, 8, 0, 255),
        IntegerWeights(np.ones((4, 2, 3, 3), np.int8), bits),
        np.zeros(4, np.int32),
        *geometry,
    )
    add = Add("add", (0, 1), Scaling(ONES[:2], 8, 0, 255))
    mean = AvgPool("mean", (2,), (6, 6), (6, 6), (0, 0), Scaling(ONES[:1], 8, 0, 255))
    head = Linear(
        "head",
        (4,),
        Scaling(ONES[:3], 8, 0, 255),
        IntegerWeights(np.ones((3, 4), np.int8), 8),
        np.zeros(3, np.int32),
    )
    tensors = (image, image, image, vector, TensorType((4,), 1.0, 0), TensorType((3,), 1.0, 0))
    return Program(tensors, (conv, add, mean, Flatten("flatten", (3,)), head))


def test_arithmetic_alone() -> None:
    assert Roofline("mcu", 1e6, 1e15).latency(program()) == pytest.approx(
        (144 * 18 + 12) / 1e6, rel=1e-3
    )


def test_traffic_alone() -> None:
    # 72 weights of 3 bits are 27 bytes.
    moved = (144 + 27 + 144) + (144 + 144 + 144) + (144 + 4) + (4 + 4) + (4 + 12 + 3)
    assert Roofline("mcu", 1e15, 1e6).latency(program()) == pytest.approx(moved / 1e6)


def test_each_operation_takes_what_is_slower() -> None:
    # The convolution has 2592 multiply-accumulates on 315 bytes, the others fewer than one on a
    # byte.
    moved = (144 + 144 + 144) + (144 + 4) + (4 + 4) + (4 + 12 + 3)
    assert Roofline("mcu", 4e6, 1e6).latency(program()) == pytest.approx(2592 / 4e6 + moved / 1e6)


def test_fewer_bits_are_read_faster() -> None:
    device = Roofline("mcu", 1e15, 1e6)
    assert [
        round(1e6 * (device.latency(program(bits)) - device.latency(program(2))))
        for bits in (3, 4, 6, 8)
    ] == [9, 18, 36, 54]


@pytest.mark.parametrize(
    ("macs", "bytes_"), [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.inf)]
)
def test_rates_must_be_positive(macs: float, bytes_: float) -> None:
    with pytest.raises(
        ValueError, match="the rates of a device must be positive and finite, but got"
    ):
        Roofline("mcu", macs, bytes_)
