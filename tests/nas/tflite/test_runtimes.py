"""LiteRT and TensorFlow Lite Micro say the interpreter's integers under the rounding of each."""

import random

import pytest
import torch

from nas.program.interpreter import logits
from nas.program.operations import Operation
from nas.program.program import Program
from nas.program.rounding import Rounding
from nas.tflite import to_tflite
from nas.tflite.runtimes import run_litert, run_micro
from tests.nas.onnx.drawn_programs import OPERATIONS, Drawn
from tests.nas.program_builder import APPEND, Builder, numbers_from
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
