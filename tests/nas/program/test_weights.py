from dataclasses import replace

import numpy as np
import pytest

from nas.program.tensors import ProgramError
from nas.program.weights import IntegerWeights

VALUES = np.arange(-6, 6, dtype=np.int8).reshape(3, 2, 2, 1)
ZEROS = np.array([0, 8, 15], np.uint8)


def test_channels_are_taken_from_every_array() -> None:
    weights = IntegerWeights(VALUES, 4, ZEROS, 12, VALUES % 2 == 0)
    outputs, inputs = np.array([True, False, True]), np.array([False, True])
    found = weights.take(outputs, inputs)
    assert found.values[:, :, :, 0].tolist() == [[[-4, -3]], [[4, 5]]]
    assert found.zero_points is not None
    assert found.zero_points.tolist() == [0, 15]
    assert found.kept is not None
    assert found.kept[:, :, :, 0].tolist() == [[[True, False]]] * 2
    assert (found.bits, found.entries) == (4, 12)
    np.testing.assert_array_equal(weights.take(outputs).values, VALUES[outputs])


def test_taking_leaves_out_what_there_is_not() -> None:
    found = IntegerWeights(VALUES, 4).take(np.array([True, True, False]))
    assert found.zero_points is None
    assert found.kept is None


def test_cleared_channels_are_zero_and_the_others_are_left_alone() -> None:
    weights = IntegerWeights(VALUES, 4, ZEROS)
    found = weights.cleared(np.array([False, True, False]))
    assert found.values.dtype == np.int8
    assert not found.levels[1].any()
    np.testing.assert_array_equal(found.values[[0, 2]], VALUES[[0, 2]])
    np.testing.assert_array_equal(weights.values, VALUES)


@pytest.mark.parametrize(
    ("bits", "entries", "values", "can"),
    [
        (1, None, [1, -1], False),
        (2, None, [1, -1], True),
        (2, 2, [1, -1], False),
        (2, 2, [1, 0], True),
    ],
)
def test_signs_and_some_codebooks_have_no_zero(
    bits: int, entries: int | None, values: list[int], can: bool
) -> None:
    weights = IntegerWeights(np.array([values], np.int8), bits, entries=entries)
    weights.check()
    assert weights.can_be_zero is can


def test_shape_and_size_are_those_of_the_values() -> None:
    weights = IntegerWeights(VALUES, 4)
    assert (weights.shape, weights.size) == ((3, 2, 2, 1), 12)


def test_weights_that_their_bits_cannot_represent_are_refused() -> None:
    IntegerWeights(VALUES, 4).check()
    with pytest.raises(ProgramError, match=r"weights must lie in -3 … 3"):
        IntegerWeights(VALUES, 3).check()
    with pytest.raises(ProgramError, match="weights must take at most 11 values, but take 12"):
        replace(IntegerWeights(VALUES, 4), entries=11).check()
