"""The handwritten digits that scikit-learn ships: an image task without a download."""

import numpy as np
import torch

from nas.data.splits import split
from nas.data.task import Split, Task
from nas.preprocessing import Preprocessing

PREPROCESSING = Preprocessing("uint8", deviation=(16.0,))
"""Pixels are 0 to 16."""


def digits(rng: np.random.Generator) -> Task:
    """Classifies 1,797 gray images of handwritten digits, [N, 1, 8, 8] in [0, 1], split
    60 : 20 : 20.
    """
    # Imported here, because it takes a second.
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    inputs = torch.from_numpy(pixels).to(torch.float32).div_(16).reshape(-1, 1, 8, 8)
    return split(
        "digits",
        Split(inputs, torch.from_numpy(labels).to(torch.int64)),
        classes=10,
        rng=rng,
        preprocessing=PREPROCESSING,
    )
