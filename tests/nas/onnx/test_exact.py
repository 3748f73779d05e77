"""Where a kernel of 8-bit integers would round otherwise than the program, or saturate."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nas.lowering.scalings import scaling
from nas.measure.host import run_onnx
from nas.onnx import to_onnx
from nas.onnx.fused_scales import exact_scales
from nas.program.interpreter import Interpreter, logits
from nas.program.operations import Add, AvgPool, Concat, Conv, Linear, Mul, PRelu
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import Signature, TensorType
from nas.program.weights import IntegerWeights
from tests.nas.onnx.runtime_steps import flattened, steps_apart

HALF = Scaling(np.array([2**15], np.uint16), 16, 0, 255)


def operators(program: Program) -> set[str]:
    return {node.op_type for node in to_onnx(program).graph.node}


def linear(values: NDArray[np.int8], bits: int, gains: Scaling, biases: int = 0) -> Program:
    count = len(values)
    tensors = TensorType(values.shape[1:], 1.0, 0), TensorType((count,), 1.0, 0)
    shifted = np.full(count, biases, np.int32)
    return Program(tensors, (Linear("linear", (0,), gains, IntegerWeights(values, bits), shifted),))


def all_integers(program: Program) -> NDArray[np.float32]:
    """Each integer of the input in all of its elements."""
    return np.arange(256, dtype=np.float32)[:, None] * np.ones(program.tensors[0].shape, np.float32)


def assert_exact(program: Program, inputs: NDArray[np.float32]) -> None:
    found = run_onnx(to_onnx(program), inputs, saturate=True)
    np.testing.assert_array_equal(found, logits(program, torch.from_numpy(inputs)))


def test_halves_are_rounded_up() -> None:
    program = linear(np.ones((1, 1), np.int8), 2, HALF)
    assert_exact(program, all_integers(program))
    fused = run_onnx(to_onnx(program, fused=True), all_integers(program))
    assert (fused != logits(program, torch.from_numpy(all_integers(program)))).any()
    gains = Scaling(np.array([2**15] * 2, np.uint16), 16, 0, 255)
    image = TensorType((2, 16, 8), 1.0, 3)
    assert not steps_apart(flattened([image, image], Add("add", (0, 0), gains)), 0).any()
    doubled = dataclasses.replace(image, shape=(4, 16, 8))
    assert not steps_apart(flattened([image, doubled], Concat("cat", (0, 0), gains)), 0).any()
    assert not steps_apart(flattened([image, image], Mul("mul", (0, 0), HALF)), 0).any()
    slopes = np.array([2**14, -(2**14)], np.int32)
    prelu = PRelu("prelu", (0,), HALF, slopes)
    assert not steps_apart(flattened([image, image], prelu), 0).any()


def test_a_layer_stays_in_one_kernel_where_that_is_exact() -> None:
    gains = scaling(np.array([0.3, 0.7]), (0, 255))
    program = linear(np.array([[1, 1, -1], [1, 0, 1]], np.int8), 2, gains, 5)
    assert "QuantizeLinear" in operators(program)
    assert operators(program) == {"QuantizeLinear", "DequantizeLinear", "Gemm"}
    assert_exact(program, all_integers(program))


@pytest.mark.parametrize("bits", range(2, 9))
def test_what_is_called_exact_is_so_for_every_sum(bits: int) -> None:
    rng, top = np.random.default_rng(bits), 2 ** (bits - 1) - 1
    found = 0
    for _ in range(12):
        gains = scaling(rng.uniform(0.001, 1.0, 1), (0, 255))
        values = rng.integers(-top, top + 1, (1, 2)).astype(np.int8)
        program = linear(values, bits, gains, int(rng.integers(-5000, 5000)))
        (operation,), tensors = program.operations, program.tensors
        assert isinstance(operation, Linear)
        found += exact_scales(operation, Signature(tensors[:1], tensors[1])) is not None
        pairs = np.indices((256, 52)).reshape(2, -1).T.astype(np.float32)
        assert_exact(program, pairs * np.array([1, 5], np.float32))
    assert found


@pytest.mark.parametrize("affine", [False, True])
def test_sums_that_32_bit_floats_cannot_hold_are_summed_as_integers(affine: bool) -> None:
    rng = np.random.default_rng(0)
    zeros = np.array([0, 255], np.uint8) if affine else None

    def weights(*shape: int) -> IntegerWeights:
        values = np.full(shape, 127, np.int8)
        values[:, ::3] = rng.integers(-3, 4)
        return IntegerWeights(values, 8, zeros)

    size, biases = 1200, np.array([3, 250 * 256], np.int32)
    gains = scaling(np.full(2, 200 / (size * 255 * 127)), (0, 255))
    kernels = Conv(
        "conv", (0,), gains, weights(2, size // 2, 3, 3), biases, (2, 2), (1, 1), (1, 1), 2
    )
    image, result = TensorType((size, 5, 5), 1.0, 7), TensorType((2, 3, 3), 1.0, 4)
    conv = flattened([image, result], kernels)
    rows = Linear("linear", (0,), gains, weights(2, size), biases)
    product = Program((TensorType((size,), 1.0, 7), TensorType((2,), 1.0, 4)), (rows,))
    for program, operator in ((conv, "ConvInteger"), (product, "MatMulInteger")):
        assert operator in operators(program)
        assert not steps_apart(program, 1).any()


def test_the_largest_sums_of_a_pooling_are_exact() -> None:
    gains = scaling(np.array([1 / 4096]), (0, 255))
    image = TensorType((3, 64, 64), 1.0, 0)
    pool = AvgPool("pool", (0,), (64, 64), (64, 64), (0, 0), gains)
    program = flattened([image, TensorType((3, 1, 1), 1.0, 0)], pool)
    assert not steps_apart(program, 0).any()
    full: Any = np.full((1, 3, 64, 64), 255, np.float32)
    full[0, 0, 0, :32] = 191  # 0.5 below the largest mean
    assert Interpreter(program).integers(torch.from_numpy(full)).tolist() == [[255, 255, 255]]
    assert_exact(program, full)
