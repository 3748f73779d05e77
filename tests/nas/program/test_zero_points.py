import numpy as np
import pytest

from nas.program.weights import IntegerWeights
from nas.program.zero_points import fitting_zero_points, unwrapped, wrapped

ALL_BITS = range(2, 9)


@pytest.mark.parametrize("bits", ALL_BITS)
def test_all_levels_of_all_zero_points_come_back(bits: int) -> None:
    zeros = np.arange(2**bits)
    levels = (np.arange(2**bits) - zeros[:, np.newaxis]).astype(np.int16)
    weights = wrapped(levels, bits)
    assert weights.dtype == np.int8
    assert (weights.min(), weights.max()) == (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    assert ((weights == 0) == (levels == 0)).all()
    found = unwrapped(weights, bits, zeros.astype(np.uint8))
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, levels)
    np.testing.assert_array_equal(weights[2 ** (bits - 1)], levels[2 ** (bits - 1)])
    affine = IntegerWeights(weights, bits, zeros.astype(np.uint8))
    np.testing.assert_array_equal(affine.levels, levels)
    assert affine.level_bits == int(np.abs(levels).max()).bit_length() + 1
    assert IntegerWeights(weights, bits).level_bits == bits


def test_each_channel_has_its_own_zero_point() -> None:
    weights = np.array([[[-8, 7], [0, 1]]] * 3, np.int8)
    found = unwrapped(weights, 4, np.array([8, 0, 15], np.uint8))
    assert found.tolist() == [[[-8, 7], [0, 1]], [[8, 7], [0, 1]], [[-8, -9], [0, -15]]]


@pytest.mark.parametrize(
    ("levels", "zeros"),
    [
        ([[-7, 7], [-7, 5]], [7, 7]),
        ([[-7, 7], [-7, 8]], [7, 7]),
        ([[-8, 7], [-7, 5]], [8, 8]),  # 7 would do for the second, but not for the first
        ([[0, 15], [-7, 5]], [0, 7]),
        ([[0, 15], [-15, 0], [-3, 3]], [0, 15, 3]),  # between those of the others
        ([[0, 0], [-9, 3]], [9, 9]),  # any will do for zeros
        ([[0, 0], [0, 0]], [0, 0]),
        ([[3, 9], [4, 7]], [0, 0]),
        ([[-3, -9], [-4, -7]], [9, 9]),
    ],
)
def test_zero_points_are_as_near_to_each_other_as_can_be(
    levels: list[list[int]], zeros: list[int]
) -> None:
    found = fitting_zero_points(np.array(levels, np.int16), 4)
    assert found.dtype == np.uint8
    assert found.tolist() == zeros


@pytest.mark.parametrize("bits", ALL_BITS)
def test_zero_points_fit_levels_of_any_shape(bits: int) -> None:
    rng = np.random.default_rng(bits)
    zeros = rng.integers(0, 2**bits, (7, 1, 1, 1))
    levels = (rng.integers(0, 2**bits, (7, 4, 3, 3)) - zeros).astype(np.int16)
    found = fitting_zero_points(levels, bits)
    np.testing.assert_array_equal(unwrapped(wrapped(levels, bits), bits, found), levels)
