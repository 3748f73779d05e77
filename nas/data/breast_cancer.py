"""The breast cancer data that scikit-learn ships: a tabular task without a download."""

import numpy as np
import torch

from nas.data.splits import split
from nas.data.task import Split, Task
from nas.preprocessing import Preprocessing

LIMIT = 4.0


def breast_cancer(rng: np.random.Generator) -> Task:
    """Classifies 569 tumors as benign or malignant by 30 measurements, [N, 30], split 60 : 20 : 20.

    Measurements are standardized by the mean and standard deviation of the training split, and
    clipped to 4 standard deviations.
    """
    # Imported here, because it takes a second.
    from sklearn.datasets import load_breast_cancer

    measurements, labels = load_breast_cancer(return_X_y=True)
    raw = split(
        "breast_cancer",
        Split(torch.from_numpy(measurements).float(), torch.from_numpy(labels).long()),
        classes=2,
        rng=rng,
    )
    mean, deviation = raw.train.inputs.mean(0), raw.train.inputs.std(0)

    def standardized(part: Split) -> Split:
        return Split(((part.inputs - mean) / deviation).clamp(-LIMIT, LIMIT), part.labels)

    return Task(
        name=raw.name,
        train=standardized(raw.train),
        validation=standardized(raw.validation),
        test=standardized(raw.test),
        classes=raw.classes,
        preprocessing=Preprocessing(
            "float32", tuple(mean.tolist()), tuple(deviation.tolist()), LIMIT
        ),
    )
