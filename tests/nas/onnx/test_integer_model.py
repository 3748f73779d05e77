import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from nas.measure.host import run_onnx
from nas.onnx import to_onnx
from nas.program.operations import (
    Conv,
    Linear,
)
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from tests.nas.onnx.drawn_programs import OPERATIONS

Build = Callable[..., Any]


def test_the_model_says_what_it_takes_and_gives(build: Build) -> None:
    builder = build((3, 4, 4))
    builder.conv(0)
    builder.conv(1)
    program = builder.program()
    model = to_onnx(program)
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    (source,), (target,) = model.graph.input, model.graph.output
    assert (
        source.name,
        [d.dim_param or d.dim_value for d in source.type.tensor_type.shape.dim],
    ) == ("input", ["N", 3, 4, 4])
    sizes = [d.dim_param or d.dim_value for d in target.type.tensor_type.shape.dim]
    assert (target.name, sizes) == ("logits", ["N", program.tensors[-1].size])
    # Both are called conv in the program.
    assert {"conv", "conv.2", "flatten"} <= {
        name for node in model.graph.node for name in node.output
    }
    for count in (1, 5):
        assert run_onnx(model, np.zeros((count, 3, 4, 4), np.float32)).shape == (
            count,
            program.tensors[-1].size,
        )


def test_equal_programs_give_equal_bytes(build: Build) -> None:
    builder = build((3, 4, 4))
    for kind in OPERATIONS:
        builder.grow(kind)
    program = builder.program()
    stored = to_onnx(program).SerializeToString()
    assert (
        stored
        == to_onnx(program).SerializeToString()
        == to_onnx(copy.deepcopy(program)).SerializeToString()
    )


@pytest.mark.parametrize(
    ("bits", "affine"),
    [*((bits, False) for bits in range(1, 9)), *((bits, True) for bits in range(2, 8))],
)
def test_weights_are_integers_that_sum_in_16_bits_where_they_can(
    build: Build, bits: int, affine: bool
) -> None:
    builder = build((4, 3, 3))
    builder.conv(0, bits=bits, affine=affine)
    program = builder.program()
    (stored,) = (
        onnx.numpy_helper.to_array(t)
        for t in to_onnx(program, fused=True).graph.initializer
        if t.name == "conv.levels"
    )
    conv = program.operations[0]
    assert isinstance(conv, Conv)
    assert stored.dtype == np.int8
    assert stored.shape == conv.weights.shape
    assert bits + affine == 8 or 2 * 255 * int(np.abs(stored.astype(int)).max()) < 2**15


def test_biases_are_whole_units_of_the_sums_that_a_kernel_adds_up() -> None:
    for bits, largest in ((1, 1), (2, 1), (4, 7), (7, 63), (8, 127)):
        gains = Scaling(np.array([2**15, 54321], np.uint16), 17, 0, 255)
        weights = IntegerWeights(np.full((2, 4), largest, np.int8), bits)
        linear = Linear("layer", (0,), gains, weights, np.array([37, -41], np.int32))
        program = Program((TensorType((4,), 0.5, 0), TensorType((2,), 0.25, 0)), (linear,))
        model = to_onnx(program, fused=True)
        constants = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        units = constants["layer.bias"] / (constants["layer.scale"].astype(np.float64) * 0.5)
        np.testing.assert_allclose(units, [37, -41], rtol=1e-6)
