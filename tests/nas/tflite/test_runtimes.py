"""LiteRT and TensorFlow Lite Micro say the interpreter's integers under the rounding of each."""

import dataclasses
import random

import numpy as np
import pytest
import torch

from nas.program.interpreter import logits
from nas.program.operations import Add, AvgPool, Gather, Mul, Operation
from nas.program.program import Program
from nas.program.rounding import Rounding
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from tests.nas.onnx.drawn_programs import OPERATIONS, Drawn
from tests.nas.onnx.runtime_steps import flattened
from tests.nas.program_builder import APPEND, Builder, numbers_from

pytest.importorskip("tflite", reason="the extra tflite is not installed")

from nas.tflite import to_tflite
from nas.tflite.runtimes import run_litert, run_micro
from tests.nas.tflite.model_file import drawn_inputs

RUNTIMES = {"single": run_litert, "double": run_micro}
INPUTS = 25

both = pytest.mark.parametrize("rounding", RUNTIMES)


def differing(program: Program, rounding: Rounding, seed: int) -> float:
    """The share of logits that differ."""
    pytest.importorskip("ai_edge_litert" if rounding == "single" else "tflite_micro")
    inputs = drawn_inputs(program, seed, INPUTS)
    found = RUNTIMES[rounding](to_tflite(program, rounding=rounding), inputs)
    return float((found != logits(program, torch.from_numpy(inputs), rounding=rounding)).mean())


@both
@pytest.mark.parametrize("kind", OPERATIONS)
def test_an_operation_says_the_same(kind: type[Operation], rounding: Rounding) -> None:
    for seed in range(8):
        program = Drawn(seed, affine=seed % 4 >= 2).program(kind)
        assert differing(program, rounding, seed) == 0


@both
@pytest.mark.parametrize("seed", range(30))
def test_a_drawn_program_says_the_same(seed: int, rounding: Rounding) -> None:
    builder, kinds = Builder((3, 6, 5), numbers_from(seed)), random.Random(seed)
    for _ in range(4):
        builder.grow(kinds.choice(list(APPEND)))
    assert differing(builder.program(), rounding, seed) == 0


@pytest.mark.parametrize("shape", [(7,), (5, 9), (4, 3, 6)])
@both
def test_inputs_of_any_rank_are_read_channels_last(
    shape: tuple[int, ...], rounding: Rounding
) -> None:
    builder = Builder(shape, numbers_from(len(shape)))
    builder.linear(builder.flatten(0))
    assert differing(builder.program(), rounding, 0) == 0


@both
def test_inputs_beyond_the_range_of_the_program_are_clipped(rounding: Rounding) -> None:
    pytest.importorskip("ai_edge_litert" if rounding == "single" else "tflite_micro")
    source = TensorType((3,), 0.5, 2, 3)
    program = Program((source, source), (Gather("gather", (0,), np.arange(3, dtype=np.int32)),))
    inputs = np.array([[-9.0, 0.3, 40.0]], np.float32)
    found = RUNTIMES[rounding](to_tflite(program, rounding=rounding), inputs)
    assert found.tolist() == [[-1.0, 0.5, 2.5]]


@both
def test_the_smallest_multipliers_are_said(rounding: Rounding) -> None:
    image, small = TensorType((2, 3, 3), 1.0, 100), Scaling(np.full(1, 9, np.uint16), 47, 0, 255)
    for operation in (
        Mul("mul", (0, 0), small),
        AvgPool("pool", (0,), (1, 1), (1, 1), (0, 0), small),
        Add("add", (0, 0), dataclasses.replace(small, multipliers=np.full(2, 9, np.uint16))),
    ):
        assert differing(flattened([image, image], operation), rounding, 0) == 0
