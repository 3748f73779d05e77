"""The handwritten digits that scikit-learn ships: a task without a download."""

import numpy as np
import torch

from nas.data.splits import split
from nas.data.task import Split, Task


def digits(rng: np.random.Generator) -> Task:
    """1,797 grey images of the digits, [N, 1, 8, 8] in 0 to 1, split 60 : 20 : 20."""
    from sklearn.datasets import (
        load_digits,
    )  # here, because it adds a second to the import of this package

    pixels, labels = load_digits(return_X_y=True)
    inputs = torch.from_numpy(pixels).to(torch.float32).div_(16).reshape(-1, 1, 8, 8)
    return split(
        "digits", Split(inputs, torch.from_numpy(labels).to(torch.int64)), classes=10, rng=rng
    )
