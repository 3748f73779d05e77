"""Programs compiled for a device: what they compute with lies there, and sums are those of 64 bits."""

import inspect

import pytest
import torch
from torch import Tensor

from nas.program.interpreter import Interpreter
from nas.program.operations import Conv
from nas.program.operations.layers import Layer
from tests.nas.onnx.drawn_programs import OPERATIONS, Drawn


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_every_operation_keeps_its_constants_on_the_device(kind: type) -> None:
    program = Drawn(0).program(kind)
    run = Interpreter(program, device="meta")
    for kernel in run._kernels:
        kept = inspect.getclosurevars(kernel).nonlocals.values()
        assert {each.device.type for each in kept if isinstance(each, Tensor)} <= {"meta"}
    found = run(torch.empty(2, *program.tensors[0].shape, device="meta"))
    assert tuple(found.shape) == (2, *program.tensors[-1].shape)
    twice = Interpreter(program, "double", "meta")
    assert twice(torch.empty(2, *program.tensors[0].shape, device="meta")).shape == found.shape


def test_sums_have_64_bits_where_kernels_may_round() -> None:
    program = Drawn(0).program(Conv)
    number = next(i for i, each in enumerate(program.operations) if isinstance(each, Layer))
    for device, wanted in (("cpu", torch.float32), ("meta", torch.float64)):
        kernel = Interpreter(program, device=device)._kernels[number]
        assert inspect.getclosurevars(kernel).nonlocals["weights"].dtype is wanted
