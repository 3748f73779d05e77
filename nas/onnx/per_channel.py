"""Constants of channels."""

import numpy as np
from numpy.typing import NDArray


def per_channel(values: NDArray[np.float64], rank: int) -> NDArray[np.float32]:
    """Values [C] in a shape that broadcasts to [N, C] or [N, C, H, W]; `rank` is without N."""
    return values.astype(np.float32).reshape(-1, *[1] * (rank - 1))
