"""What stands for the integers of a layer where only their number and their bits matter."""

import numpy as np
from numpy.typing import NDArray

from nas.layers import WeightLayer
from nas.lowering.groups import Norm
from nas.lowering.layers import check_masked, kept_weights
from nas.program.scaling import MIN_SHIFT, Scaling
from nas.program.weights import IntegerWeights
from nas.quantize import integer_layer


def placeholders(
    layer: WeightLayer,
    norm: Norm | None,  # noqa: ARG001 - those of `integers`, of which it takes the place
    scales: tuple[float, float],  # noqa: ARG001
    zero: int,  # noqa: ARG001
    limits: tuple[int, int],
) -> tuple[Scaling, IntegerWeights, NDArray[np.int32]]:
    """Scaling, weights and biases as `integers` gives them, but with weights and multipliers of 1 and
    biases of 0.

    Raises:
        UnsupportedError: as `integers` does.
    """
    view, kept, shape = integer_layer(layer), kept_weights(layer), tuple(layer.weight.shape)
    check_masked(view.bits, kept)
    channels = shape[0]
    zeros = np.zeros(channels, np.uint8) if view.affine else None
    weights = IntegerWeights(
        np.broadcast_to(np.int8(1), shape), view.bits, zeros, view.entries, kept
    )
    scaling = Scaling(np.ones(channels, np.uint16), MIN_SHIFT, *limits)
    return scaling, weights, np.zeros(channels, np.int32)
