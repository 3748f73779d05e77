import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from nas.lowering.scalings import scaling
from nas.measure.host import run_onnx
from nas.onnx import to_onnx
from nas.program.interpreter import Interpreter, logits
from nas.program.operations import (
    AvgPool,
    Conv,
    Linear,
    MaxPool,
    Operation,
    Pad,
)
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from tests.nas.onnx.drawn_programs import OPERATIONS, Drawn
from tests.nas.onnx.runtime_steps import flattened, steps_apart

Build = Callable[..., Any]


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_every_operation_gives_the_same_integers(kind: type[Operation]) -> None:
    drawn = [Drawn(seed).program(kind) for seed in range(12)]
    assert not any(steps_apart(program, seed).any() for seed, program in enumerate(drawn))
    apart = [steps_apart(program, seed, fused=True) for seed, program in enumerate(drawn)]
    assert max(each.max() for each in apart) <= 1
    # Programs round half a step up, ONNX rounds it to even, and its reals have 32 bits only.
    assert np.mean([(each == 0).mean() for each in apart]) >= 0.9995


def test_random_programs_give_the_same_integers(build: Build) -> None:
    same = []
    for seed in range(60):
        builder = build((3, 5, 4), seed)
        # ONNX Runtime takes one zero point for all channels of 8 bits.
        builder.zero_points = lambda count, bits, one=builder.one: np.full(
            count, one(0, 2**bits - 1), np.uint8
        )
        for kind in np.random.default_rng(seed).permutation(len(OPERATIONS))[:6]:
            if OPERATIONS[kind] not in (
                MaxPool,
                AvgPool,
            ):  # the interpreter cannot pad more than half a window
                builder.grow(OPERATIONS[kind])
        program = builder.program()
        assert not steps_apart(program, seed).any()
        apart = steps_apart(program, seed, fused=True)
        assert apart.max() <= 1
        same.append((apart == 0).mean())
    assert np.mean(same) >= 0.999


@pytest.mark.parametrize("weight", [127, -127])
def test_the_largest_products_do_not_saturate(weight: int) -> None:
    weights, biases = (
        np.full((16, 32, 3, 3), weight, np.int8),
        np.full(16, 0 if weight > 0 else 250 * 256, np.int32),
    )
    image, result = TensorType((32, 4, 4), 1.0, 0), TensorType((16, 4, 4), 1.0, 0)
    kernels = IntegerWeights(weights, 8)
    conv = Conv("conv", (0,), largest(32 * 9, 16), kernels, biases, (1, 1), (1, 1), (1, 1), 1)
    assert_same(flattened([image, result], conv))
    rows = IntegerWeights(weights.reshape(16, 288), 8)
    linear = Linear("linear", (0,), largest(288, 16), rows, biases)
    assert_same(flattened([TensorType((288,), 1.0, 0), TensorType((16,), 1.0, 0)], linear))


@pytest.mark.parametrize("zero", [0, 1, 200])
@pytest.mark.parametrize("margins", [((0, 1), (0, 1)), ((3, 0), (0, 5))])
def test_margins_as_wide_as_windows_are_kept(
    zero: int, margins: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    tensors = [TensorType((2, 6, 6), 0.5, zero)]
    readers = (
        MaxPool("reader", (1,), (2, 2), (1, 1), (1, 0)),
        AvgPool("reader", (1,), (3, 3), (1, 1), (1, 0), scaling(np.array([1 / 9]), (0, 255))),
    )
    for reader in readers:
        types, operations = list(tensors), (Pad("pad", (0,), *margins), reader)
        for operation in operations:
            shape = operation.result_shape([types[-1].shape])
            types.append(dataclasses.replace(types[-1], shape=shape))
        assert steps_apart(flattened(types, *operations), 0).max() == 0


def largest(terms: int, channels: int) -> Scaling:
    """The scaling that brings a sum of the largest products to 200."""
    return scaling(np.full(channels, 200 / (terms * 255 * 127)), (0, 255))


def assert_same(program: Program) -> None:
    inputs = np.full((2, *program.tensors[0].shape), 255, np.float32)
    for fused in (False, True):
        np.testing.assert_array_equal(
            run_onnx(to_onnx(program, fused=fused), inputs, saturate=not fused),
            logits(program, torch.from_numpy(inputs)),
        )


@pytest.mark.parametrize("bits", range(1, 9))
def test_narrow_tensors_and_clamps_are_kept(bits: int) -> None:
    top = 2**bits - 1
    low, high = top // 4, top - top // 4
    identity, biases = (
        np.eye(6, dtype=np.int8).reshape(6, 6, 1, 1),
        np.arange(6).astype(np.int32) * 300,
    )
    for limits in ((0, top), (low, high)):
        limited = Scaling(np.full(6, 2**15 - 1, np.uint16), 14, *limits)
        weights = IntegerWeights(identity, 2)
        conv = Conv("conv", (0,), limited, weights, biases, (1, 1), (0, 0), (1, 1), 1)
        program = flattened(
            [TensorType((6, 8, 8), 0.5, 128), TensorType((6, 8, 8), 0.25, low, bits)], conv
        )
        inputs = torch.linspace(-64, 64, 384).view(1, 6, 8, 8)
        found = np.rint(run_onnx(to_onnx(program), inputs.numpy()) / 0.25) + low
        assert (found.min(), found.max()) == limits
        np.testing.assert_array_equal(found, Interpreter(program).integers(inputs).numpy())
