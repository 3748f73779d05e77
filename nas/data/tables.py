"""The table of tumors that scikit-learn ships: a task of numbers without a download."""

import numpy as np
import torch

from nas.data.splits import split
from nas.data.task import Split, Task


def breast_cancer(rng: np.random.Generator) -> Task:
    """569 tumors by 30 measurements, [N, 30], benign or malignant, split 60 : 20 : 20.

    Measurements are standardized by the mean and deviation of the training split, and clipped at 4
    deviations.
    """
    from sklearn.datasets import (
        load_breast_cancer,
    )  # here, because it adds a second to the import of this package

    measured, labels = load_breast_cancer(return_X_y=True)
    raw = split(
        "breast_cancer",
        Split(torch.from_numpy(measured).float(), torch.from_numpy(labels).long()),
        classes=2,
        rng=rng,
    )
    mean, deviation = raw.train.inputs.mean(0), raw.train.inputs.std(0)

    def scaled(part: Split) -> Split:
        return Split(((part.inputs - mean) / deviation).clamp(-4.0, 4.0), part.labels)

    return Task(
        name=raw.name,
        train=scaled(raw.train),
        validation=scaled(raw.validation),
        test=scaled(raw.test),
        classes=raw.classes,
    )
