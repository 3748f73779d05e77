from collections.abc import Callable
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.data import Split
from nas.packed.records import RECORDS
from nas.program.interpreter import Interpreter, logits, score
from nas.program.operations import (
    Add,
    AvgPool,
    Conv,
    Flatten,
    Linear,
    Operation,
    Pad,
)
from nas.program.operations.layers import EXACT_FLOAT32
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from tests.nas.program.whole_numbers import Whole, reference

Build = Callable[..., Any]

OPERATIONS = [record.kind for record in RECORDS.values()]


def inputs_for(program: Program, count: int, seed: int = 0) -> tuple[torch.Tensor, Whole]:
    """Inputs, and the integers that they are quantized to."""
    first = program.tensors[0]
    whole = np.random.default_rng(seed).integers(0, first.top + 1, (count, *first.shape))
    return torch.from_numpy((whole - first.zero) * first.scale).float(), whole


def assert_exact(program: Program, seed: int = 0) -> None:
    inputs, whole = inputs_for(program, 2, seed)
    with np.errstate(all="raise"):
        wanted = np.stack([reference(program, sample) for sample in whole])
    np.testing.assert_array_equal(Interpreter(program).integers(inputs).numpy(), wanted)


def realistic(builder: Any) -> Any:
    """The builder with multipliers that do not clamp nearly every sum."""

    def scaling(count: int) -> Scaling:
        factors = np.maximum(1, builder.numbers(2**12, 2**16 - 1, count)).astype(np.uint16)
        return Scaling(factors, builder.one(18, 24), 0, 255)

    builder.scaling = scaling
    builder.biases = lambda count: builder.numbers(-20_000, 20_000, count).astype(np.int32)
    return builder


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("seed", range(4))
def test_every_operation_is_exact(build: Build, kind: type[Operation], seed: int) -> None:
    for shape, careful in product([(4, 5, 6), (3, 3, 3), (7,)], [True, False]):
        builder = build(shape, seed)
        builder = realistic(builder) if careful else builder
        builder.grow(kind)
        builder.grow(kind)
        assert_exact(builder.program(), seed)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_programs_are_exact(
    programs: st.SearchStrategy[Program], data: st.DataObject
) -> None:
    assert_exact(data.draw(programs))


def test_inputs_are_rounded_to_the_nearest_level_and_clipped() -> None:
    kept = Scaling(np.array([2**15], np.uint16), 15, 0, 255)
    same = TensorType((3,), 0.5, 10)
    program = Program(
        (same, same),
        (Linear("same", (0,), _three(kept), identity(3), np.zeros(3, np.int32)),),
    )
    said = Interpreter(program).integers(torch.tensor([[0.2, 0.3, -1.1], [1000.0, -1000.0, 0.0]]))
    assert said.tolist() == [[10, 11, 8], [255, 0, 10]]
    assert Interpreter(program)(torch.tensor([[0.2, 0.3, -1.1]])).tolist() == [[0.0, 0.5, -1.0]]


def identity(size: int) -> IntegerWeights:
    return IntegerWeights(np.eye(size, dtype=np.int8), 2)


def _three(scaling: Scaling) -> Scaling:
    return Scaling(scaling.multipliers.repeat(3), scaling.shift, scaling.low, scaling.high)


def test_halves_are_rounded_up() -> None:
    half = Scaling(np.array([2**14] * 2, np.uint16), 15, 0, 255)
    tensor = TensorType((2,), 1.0, 100)
    program = Program(
        (tensor, tensor),
        (Linear("half", (0,), half, identity(2), np.zeros(2, np.int32)),),
    )
    said = Interpreter(program).integers(torch.tensor([[1.0, -1.0], [3.0, -3.0]]))
    assert (said - 100).tolist() == [[1, 0], [2, -1]]


def test_a_stride_of_2_behind_a_margin_below_and_right_is_that_of_tensorflow(build: Build) -> None:
    # "same" of an even size begins at the first pixel: every second one, from the second, of a
    # convolution with a margin on all sides.
    builder = realistic(build((3, 8, 6)))
    weights = builder.weights((5, 3, 3, 3), 4)
    integers = IntegerWeights(weights, 4)
    arrays = builder.scaling(5), integers, builder.biases(5)
    builder.append(Pad("pad", (0,), (0, 1), (0, 1)))
    same = Conv("same", (1,), *arrays, (2, 2), (0, 0), (1, 1), 1)
    whole = Conv("whole", (0,), *arrays, (1, 1), (1, 1), (1, 1), 1)
    builder.append(same)
    tensors, result = builder.tensors, builder.tensors[-1]
    programs = [
        Program(
            (*before, replace(result, shape=shape), replace(result, shape=(prod(shape),))),
            (*operations, Flatten("end", (len(operations),))),
        )
        for before, shape, operations in (
            (tensors[:2], (5, 4, 3), (builder.operations[0], same)),
            (tensors[:1], (5, 8, 6), (whole,)),
        )
    ]
    inputs, _ = inputs_for(programs[0], 4)
    found, all_pixels = (Interpreter(made).integers(inputs) for made in programs)
    wanted = all_pixels.view(4, 5, 8, 6)[:, :, 1::2, 1::2]
    assert torch.equal(found.view(4, 5, 4, 3), wanted)
    assert len(set(wanted.flatten().tolist())) > 10


def deep(size: int) -> Program:
    """A product whose sums need more than 24 bits, and whose result depends on each unit."""
    rng = np.random.default_rng(0)
    weights = rng.choice([126, 127], (4, size)).astype(np.int8)
    first, last = TensorType((size,), 1.0, 0), TensorType((4,), 1.0, 0)
    biases = np.full(4, -(2**31 - 1), np.int32)
    scaling = Scaling(np.full(4, 65535, np.uint16), 18, 0, 255)
    return Program(
        (first, last), (Linear("deep", (0,), scaling, IntegerWeights(weights, 8), biases),)
    )


def test_sums_beyond_the_exact_range_of_32_bit_floats_are_exact() -> None:
    program = deep(1100)
    layer = program.operations[0]
    assert isinstance(layer, Linear)
    whole = np.full((50, 1100), 254)
    whole[np.arange(50), np.arange(50)] = np.arange(50)
    sums = whole @ layer.weights.values.T.astype(np.int64)
    assert sums.min() > EXACT_FLOAT32
    assert (sums % 2 == 1).any()
    inputs = torch.from_numpy(whole).float()
    # The bias takes the sums back into the range, so that single units count.
    object.__setattr__(layer, "biases", -sums.min(0).astype(np.int32))
    wanted = np.stack([reference(program, sample) for sample in whole])
    np.testing.assert_array_equal(Interpreter(program).integers(inputs).numpy(), wanted)


def convolutional(build: Build) -> Program:
    builder = realistic(build((3, 9, 9), 1))
    for kind in (Conv, Conv, AvgPool, Add, Flatten, Linear):
        builder.grow(kind)
    found: Program = builder.program()
    return found


def test_results_do_not_depend_on_the_batch_or_the_threads(build: Build) -> None:
    threads = torch.get_num_threads()
    for program in (convolutional(build), deep(1100)):
        inputs, _ = inputs_for(program, 37)
        expected = logits(program, inputs)
        try:
            for count, batch in product((1, 3), (1, 5, 64)):
                torch.set_num_threads(count)
                np.testing.assert_array_equal(logits(program, inputs, batch), expected)
        finally:
            torch.set_num_threads(threads)


def test_the_score_is_the_share_of_samples_whose_highest_logit_is_that_of_their_label(
    build: Build,
) -> None:
    program = convolutional(build)
    inputs, _ = inputs_for(program, 20)
    said = torch.from_numpy(logits(program, inputs).argmax(1))
    classes = program.tensors[-1].size
    wrong = (said + 1) % max(classes, 2)
    assert score(program, Split(inputs, said)) == 1.0
    assert score(program, Split(inputs, torch.cat([said[:5], wrong[5:]]))) == 0.25
