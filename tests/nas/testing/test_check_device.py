import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from nas.measure.device import Device
from nas.measure.host import OnnxRuntimeCpu
from nas.measure.latency_profile import measure_latency_table
from nas.measure.latency_table import TableDevice
from nas.measure.roofline import Roofline
from nas.program.operations import Conv, Flatten, Linear
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from nas.testing.device import check_device


def scaling(channels: int) -> Scaling:
    return Scaling(np.full(channels, 99, np.uint16), 12, 0, 255)


@pytest.fixture
def program() -> Program:
    first, second = TensorType((2, 4, 4), 0.5, 3), TensorType((4, 4, 4), 0.5, 3)
    conv = Conv(
        "conv",
        (0,),
        scaling(4),
        IntegerWeights(np.ones((4, 2, 3, 3), np.int8), 4),
        np.zeros(4, np.int32),
        *((1, 1), (1, 1), (1, 1), 1),
    )
    rows = IntegerWeights(np.ones((3, 64), np.int8), 8)
    head = Linear("head", (2,), scaling(3), rows, np.zeros(3, np.int32))
    flat, last = TensorType((64,), 0.5, 3), TensorType((3,), 0.5, 0)
    return Program((first, second, flat, last), (conv, Flatten("flatten", (1,)), head))


def test_what_computes_keeps_the_contract(program: Program) -> None:
    check_device(Roofline("mcu", 1e8, 1e7), program)
    check_device(TableDevice("table", measure_latency_table([program], rounds=1)), program)


def test_what_measures_keeps_the_contract_with_a_spread(program: Program) -> None:
    check_device(OnnxRuntimeCpu(rounds=3), program, spread=50.0)


class Scripted:
    """A device that calls a function, with how often it was called before."""

    name: Any = "scripted"

    def __init__(self, latency: Callable[[Program, int], Any]) -> None:
        self.calls = 0
        self.answer = latency

    def latency(self, program: Program) -> Any:
        self.calls += 1
        return self.answer(program, self.calls)


def _seconds(program: Program) -> float:
    return Roofline("", 1e8, 1e7).latency(program)


def _writes(program: Program, calls: int) -> float:
    conv: Any = program.operations[0]
    conv.weights.values[:] = 0
    return _seconds(program)


def _draws(program: Program, calls: int) -> float:
    return _seconds(program) + 0 * random.random() + 0 * float(torch.rand(()))


def _raises(program: Program, calls: int) -> float:
    raise KeyError("conv")


BREACHES: list[tuple[Callable[[Program, int], Any], str]] = [
    (
        _raises,
        r"latency\(\) must take every program, but raised KeyError\('conv'\): perhaps its table lacks an operation",
    ),
    (
        _writes,
        r"latency\(\) must leave the program as it is, but changed it: perhaps it multiplies",
    ),
    (_draws, r"latency\(\) must leave the global state of random alone"),
    (
        lambda program, calls: torch.tensor(1.0),
        "must return positive and finite seconds, but returned tensor.*not.*float",
    ),
    (
        lambda program, calls: 0.0,
        "must return positive and finite seconds, but returned 0.0: perhaps it divides",
    ),
    (
        lambda program, calls: float("nan"),
        "must return positive and finite seconds, but returned nan",
    ),
    (lambda program, calls: -1.0, "must return positive and finite seconds, but returned -1.0"),
    (
        lambda program, calls: _seconds(program) * calls,
        "must give one program the same latency within a factor of 1, but gave",
    ),
    (
        lambda program, calls: 1.0 / len(program.operations) ** 9,
        "must not be much faster with a whole program",
    ),
]


@pytest.mark.parametrize(("latency", "message"), BREACHES)
def test_a_breach_is_named(
    program: Program, latency: Callable[[Program, int], Any], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        check_device(Scripted(latency), program)


def test_a_name_is_a_lasting_text(program: Program) -> None:
    for name in ("", 3, lambda: "device"):
        device = Scripted(lambda program, calls: _seconds(program))
        device.name = name
        with pytest.raises(AssertionError, match="a device must have a name, but has"):
            check_device(device, program)

    class Counting(Scripted):
        @property
        def name(self) -> str:
            return f"call {self.calls}"

    counting: Device = Counting(lambda program, calls: _seconds(program))
    with pytest.raises(
        AssertionError, match="a device must keep its name, but 'call 0' became 'call 1'"
    ):
        check_device(counting, program)
