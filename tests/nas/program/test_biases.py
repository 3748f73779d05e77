import numpy as np
import pytest

from nas.program.biases import LARGEST_BIAS, bias_units, with_biases
from nas.program.scaling import Scaling
from nas.program.weights import IntegerWeights

# The second multiplier is so small that the bias would not fit in its units.
SCALING = Scaling(np.array([40000, 1], np.uint16), 20, 0, 255)
OFFSETS = np.array([3.0, 200.0])


@pytest.mark.parametrize(
    ("bits", "entries", "weights", "kept"),
    [
        (4, None, [[1, -2], [3, 4]], [[1, -2], [0, 0]]),
        (1, None, [[1, -1], [1, -1]], [[1, -1], [1, -1]]),  # weights of one bit cannot be 0
        (4, 4, [[1, -2], [3, 4]], [[1, -2], [3, 4]]),  # this codebook has no 0
        (4, 4, [[1, 0], [3, 4]], [[1, 0], [0, 0]]),
    ],
)
def test_a_channel_that_is_a_constant_has_no_weights_where_they_can_be_0(
    bits: int, entries: int | None, weights: list[list[int]], kept: list[list[int]]
) -> None:
    given = IntegerWeights(np.array(weights, np.int8), bits, entries=entries)
    scaling, found, biases = with_biases(OFFSETS, SCALING, given)
    assert found.values.tolist() == kept
    assert scaling.multipliers[0] == 40000
    assert scaling.multipliers[1] > 1
    assert np.abs(biases).max() <= LARGEST_BIAS
    assert biases * bias_units(scaling, bits) == pytest.approx(OFFSETS, rel=1e-3)
