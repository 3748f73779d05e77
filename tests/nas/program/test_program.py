import dataclasses
from typing import Any

import numpy as np
import pytest

from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Gather,
    Lut,
    MaxPool,
    Mul,
    Operation,
    Pad,
    PRelu,
    Slice,
    Spread,
    Upsample,
)
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import ProgramError, Shape, TensorType
from tests.nas.program.small_programs import add, conv, linear, scaling

IMAGE, VECTOR = TensorType((2, 4, 4), 1.0, 0), TensorType((32,), 1.0, 0)


def changed(operation: Operation, **fields: Any) -> Operation:
    return dataclasses.replace(operation, **fields)


def weighing(layer: Conv, **fields: Any) -> Conv:
    return dataclasses.replace(layer, weights=dataclasses.replace(layer.weights, **fields))


LAYER = conv((3, 2, 3, 3))


INT8, INT32 = np.int8, np.int32


ZEROS = np.array([0, 8, 15], np.uint8)


AFFINE = weighing(LAYER, values=np.full((3, 2, 3, 3), -8, INT8), zero_points=ZEROS)


def test_weights_with_zero_points_have_one_level_more_than_symmetric_ones() -> None:
    made = Program(
        (IMAGE, TensorType((3, 2, 2), 1.0, 0), TensorType((12,), 1.0, 0)),
        (AFFINE, Flatten("flatten", (1,))),
    ).operations[0]
    assert isinstance(made, Conv)
    affine, symmetric = made.weights, LAYER.weights
    assert affine.levels[:, 0, 0, 0].tolist() == [8, -8, -8]
    assert (affine.level_bits, symmetric.level_bits) == (5, 4)
    assert symmetric.levels.dtype == affine.levels.dtype == np.int16


@pytest.mark.parametrize(
    ("operation", "result", "message"),
    [
        (conv((3, 5, 3, 3)), (3, 2, 2), r"weights \(3, 5, 3, 3\) in 1 groups must fit 2 channels"),
        (conv((3, 2, 5, 5)), (3, 1, 1), r"windows \(5, 5\) must fit \[4, 4\]"),
        (conv((3, 2, 1, 1), padding=(1, 1)), (3, 6, 6), "windows"),
        (
            conv((3, 2, 3, 3), stride=(0, 1)),
            (3, 2, 2),
            "kernel, stride and dilation must be positive",
        ),
        (LAYER, (3, 3, 3), r"its result must be \(3, 2, 2\), but is \(3, 3, 3\)"),
        (weighing(LAYER, bits=9), (3, 2, 2), "weights must have 1 to 8 bits, but have 9"),
        (
            weighing(LAYER, bits=3, values=np.full((3, 2, 3, 3), 4, INT8)),
            (3, 2, 2),
            r"weights must lie in -3 … 3",
        ),
        (
            weighing(LAYER, bits=1, values=np.zeros((3, 2, 3, 3), INT8)),
            (3, 2, 2),
            "weights of one bit must be -1 or 1",
        ),
        (
            weighing(LAYER, values=np.arange(54, dtype=INT8).reshape(3, 2, 3, 3) % 5, entries=4),
            (3, 2, 2),
            "weights must take at most 4 values, but take 5",
        ),
        (
            weighing(LAYER, values=np.ones((3, 2, 3, 3), INT32)),
            (3, 2, 2),
            "weights must be int8, but are int32",
        ),
        (
            weighing(AFFINE, values=np.full((3, 2, 3, 3), 8, INT8)),
            (3, 2, 2),
            r"weights must lie in -8 … 7",
        ),
        (
            weighing(AFFINE, values=np.full((3, 2, 3, 3), -9, INT8)),
            (3, 2, 2),
            r"weights must lie in -8 … 7",
        ),
        (weighing(AFFINE, zero_points=None), (3, 2, 2), r"weights must lie in -7 … 7"),
        (
            weighing(LAYER, bits=1, zero_points=ZEROS),
            (3, 2, 2),
            "weights with zero points must have 2 to 8 bits, but have 1",
        ),
        (
            weighing(AFFINE, zero_points=ZEROS[:2]),
            (3, 2, 2),
            "zero points of weights must be uint8, one for each channel",
        ),
        (
            weighing(AFFINE, zero_points=ZEROS.astype(INT32)),
            (3, 2, 2),
            "zero points of weights must be uint8, one for each channel",
        ),
        (
            weighing(AFFINE, zero_points=ZEROS + np.uint8(1)),
            (3, 2, 2),
            "of 4 bits must lie in 0 … 15, but one is 16",
        ),
        (
            changed(LAYER, biases=np.zeros(2, INT32)),
            (3, 2, 2),
            "biases must be int32, one for each channel",
        ),
        (changed(LAYER, scaling=scaling(1)), (3, 2, 2), "it must have 3 multipliers, but has 1"),
        (changed(LAYER, inputs=(0, 0)), (3, 2, 2), "it must read 1 to 1 tensors, but reads 2"),
        (changed(LAYER, inputs=(1,)), (3, 2, 2), "must read earlier tensors, 0 … 0, but reads 1"),
        (changed(LAYER, inputs=(-1,)), (3, 2, 2), "must read earlier tensors, 0 … 0, but reads -1"),
        (linear(32, 3), (3,), r"weights \(3, 32\) must fit \(2, 4, 4\)"),
        (add(0), (2, 4, 4), "it must read 2 to 64 tensors, but reads 1"),
        (Concat("concat", (0, 0), scaling(2)), (2, 4, 4), r"its result must be \(4, 4, 4\)"),
        (Mul("mul", (0, 0, 0), scaling(1)), (2, 4, 4), "it must read 2 to 2 tensors, but reads 3"),
        (MaxPool("max", (0,), (2, 2), (2, 2), (2, 2)), (2, 4, 4), "windows"),
        (
            AvgPool("mean", (0,), (2, 2), (2, 2), (0, 0), scaling(2)),
            (2, 2, 2),
            "it must have 1 multipliers, but has 2",
        ),
        (
            PRelu("prelu", (0,), scaling(1), np.zeros(3, INT32)),
            (2, 4, 4),
            r"slopes must be int32 \[2\]",
        ),
        (
            PRelu("prelu", (0,), scaling(1), np.array([0, -(2**16)], INT32)),
            (2, 4, 4),
            "slopes must lie in -65535 … 65535, but lie in -65536 … 0",
        ),
        (
            PRelu("prelu", (0,), Scaling(np.zeros(1, np.uint16), 8, 0, 255), np.zeros(2, INT32)),
            (2, 4, 4),
            "its multiplier must be 1 or more, but is 0",
        ),
        (Gather("gather", (0,), np.array([0, 2], INT32)), (2, 4, 4), r"indices must lie in 0 … 1"),
        (Upsample("up", (0,), 0), (2, 4, 4), r"a factor must lie in 1 … 64, but is 0"),
        (
            Pad("pad", (0,), (1, 0), (0, -1)),
            (2, 5, 3),
            r"margins must lie in 0 … 65535, but are \[1, 0, 0, -1\]",
        ),
        (
            Pad("pad", (0,), (0, 0), (2**16, 0)),
            (2, 4, 65540),
            r"margins must lie in 0 … 65535, but are \[0, 0, 65536, 0\]",
        ),
        (Pad("pad", (0,), (1, 0), (0, 0)), (2, 4, 4), r"its result must be \(2, 5, 4\), but is"),
        (
            Spread("spread", (0,), (0, 1), (0, 0)),
            (2, 4, 4),
            r"factors must lie in 1 … 65535, but are \[0, 1\]",
        ),
        (
            Spread("spread", (0,), (1, 1), (0, -1)),
            (2, 4, 3),
            r"ends must lie in 0 … 65535, but are \[0, -1\]",
        ),
        (
            Slice("slice", (0,), (0, 2), (1, 2), (4, 2)),
            (2, 4, 2),
            r"the last row and column must lie in \[4, 4\], but are \[3, 4\]",
        ),
        (
            Slice("slice", (0,), (0, -1), (1, 1), (4, 4)),
            (2, 4, 4),
            r"starts must be 0 or more, and steps and counts positive, but are \[0, -1\], \[1, 1\]",
        ),
        (Lut("table", (0,), np.zeros(128, np.uint8)), (2, 4, 4), r"a table must be uint8 \[256\]"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    operation: Operation, result: Shape, message: str
) -> None:
    with pytest.raises(
        ProgramError,
        match=rf"operation 0, {type(operation).__name__} '{operation.name}': .*{message}",
    ):
        Program((IMAGE, TensorType(result, 1.0, 0), VECTOR), (operation, Flatten("flatten", (1,))))


def test_summands_and_factors_must_have_shapes_that_fit() -> None:
    pooled = MaxPool("max", (0,), (2, 2), (2, 2), (0, 0))
    tensors = (IMAGE, TensorType((2, 2, 2), 1.0, 0), IMAGE)
    for operation, message in (
        (add(0, 1), "summands must have one shape"),
        (Mul("mul", (0, 1), scaling(1)), "a factor of"),
    ):
        with pytest.raises(ProgramError, match=f"operation 1, .* {message}"):
            Program((*tensors, VECTOR), (pooled, operation, Flatten("flatten", (2,))))


@pytest.mark.parametrize("change", [{"scale": 2.0}, {"zero": 3}, {"bits": 7}])
def test_what_only_moves_integers_keeps_what_they_stand_for(change: dict[str, Any]) -> None:
    with pytest.raises(
        ProgramError,
        match="operation 0, Flatten 'flatten': it must keep scale, zero point and bits",
    ):
        Program((IMAGE, dataclasses.replace(VECTOR, **change)), (Flatten("flatten", (0,)),))


def test_clamps_and_tables_stay_within_the_levels_of_the_result() -> None:
    narrow = TensorType((2, 4, 4), 1.0, 0, bits=4)
    with pytest.raises(ProgramError, match="it must clamp to at most 15, but clamps to 16"):
        Program((IMAGE, narrow), (Add("add", (0, 0), scaling(2, high=16)),))
    with pytest.raises(ProgramError, match="a table must hold at most 15"):
        Program((IMAGE, narrow), (Lut("table", (0,), np.full(256, 16, np.uint8)),))


def test_a_program_has_a_tensor_more_than_operations_and_ends_in_a_vector() -> None:
    for tensors, operations in (
        ((IMAGE,), ()),
        ((IMAGE, VECTOR, VECTOR), (Flatten("flatten", (0,)),)),
    ):
        with pytest.raises(ProgramError, match="one tensor more than operations"):
            Program(tensors, operations)
    with pytest.raises(ProgramError, match=r"the output must be \[classes\], but is \(2, 4, 4\)"):
        Program((IMAGE, IMAGE), (add(0, 0),))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"shape": (1, 2, 3, 4)},
            r"a tensor must be \[F\], \[C, L\] or \[C, H, W\], but got \(1, 2, 3, 4\)",
        ),
        ({"shape": (0,)}, "a tensor must be"),
        ({"scale": 0.0}, "a scale must be positive and finite, but got 0.0"),
        ({"scale": float("inf")}, "positive and finite"),
        ({"scale": float("nan")}, "positive and finite"),
        ({"zero": 256}, r"a zero point must lie in 0 … 255, but got 256"),
        ({"zero": -1}, "a zero point"),
        ({"bits": 9}, "a tensor must have 1 to 8 bits, but got 9"),
    ],
)
def test_tensors_that_mean_nothing_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        dataclasses.replace(IMAGE, **fields)


@pytest.mark.parametrize(
    ("shift", "low", "high"), [(7, 0, 255), (48, 0, 255), (8, 2, 1), (8, -1, 5), (8, 0, 256)]
)
def test_scalings_that_mean_nothing_are_refused(shift: int, low: int, high: int) -> None:
    with pytest.raises(
        ProgramError, match=r"a shift must lie in 8 … 47|a clamp must lie in 0 … 255"
    ):
        Scaling(np.ones(1, np.uint16), shift, low, high)
