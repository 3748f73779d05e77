"""Tasks of measurements in units of their own, standardized by what is known of training samples."""

import numpy as np
import torch
from numpy.typing import NDArray

from nas.data.division import NONE, Division, divided
from nas.data.files import DataError
from nas.data.task import Split, Task
from nas.preprocessing import Preprocessing, RawKind
from nas.quality import TaskKind

LIMIT = 4.0
"""Values are clipped to so many standard deviations, which outliers would otherwise take bits from."""


def standardized(
    name: str,
    values: NDArray[np.float64],
    labels: NDArray[np.int64] | NDArray[np.float64],
    class_names: tuple[str, ...] | None,
    rng: np.random.Generator,
    kind: TaskKind = "classification",
    raw: RawKind = "float32",
    division: Division = NONE,
) -> Task:
    """A task of this `kind` of tables [N, F] or signals [N, C, T], with class indices or, for a
    regression, targets, which is divided as `divided` does.

    Each feature or channel is standardized by the mean and the standard deviation of the training
    split, clipped to 4 standard deviations, and 0, the mean, where it is NaN, which means missing: the
    task's preprocessing of `raw` values, which it lacks where those are beyond 32-bit floats.

    Raises:
        DataError: if there are no features, or a value is infinite.
        ValueError: as `divided` does.
    """
    if not values.size:
        raise DataError(f"{name} must have a feature besides the labels, but has none")
    if len(infinite := np.argwhere(np.isinf(values))):
        place = tuple(infinite[0].tolist())
        raise DataError(
            f"{name} must hold finite values, but sample {place[0]} holds {values[place]}"
        )
    real = kind == "regression"
    classes = torch.from_numpy(labels).float() if real else torch.from_numpy(labels)
    # Rows are split by their numbers, because what is missing depends on which of them train.
    numbers = torch.arange(len(labels), dtype=torch.float32)[:, None]
    count = 0 if real else int(labels.max()) + 1
    found = divided(name, Split(numbers, classes), count, rng, division, class_names, kind)
    train = values[_rows(found.train)]
    over = (0, *range(2, values.ndim))
    known = ~np.isnan(train)
    counts = np.maximum(known.sum(over, keepdims=True), 1)
    mean = np.where(known, train, 0.0).sum(over, keepdims=True) / counts
    spread = np.where(known, train - mean, 0.0)
    deviation = np.sqrt((spread**2).sum(over, keepdims=True) / counts)
    deviation = np.where(deviation > 0.0, deviation, 1.0)
    scaled = (values - mean) / deviation
    inputs = torch.from_numpy(np.nan_to_num(scaled).clip(-LIMIT, LIMIT)).float()

    def part(of: Split) -> Split:
        return Split(inputs[torch.from_numpy(_rows(of))], of.labels)

    return Task(
        name=name,
        train=part(found.train),
        validation=part(found.validation),
        test=part(found.test),
        classes=found.classes,
        class_names=class_names,
        kind=kind,
        preprocessing=_preprocessing(raw, mean, deviation),
    )


def _preprocessing(
    raw: RawKind, mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> Preprocessing | None:
    try:
        return Preprocessing(raw, tuple(mean.ravel()), tuple(deviation.ravel()), LIMIT)
    except ValueError:
        return None


def _rows(part: Split) -> NDArray[np.int64]:
    rows: NDArray[np.int64] = part.inputs[:, 0].long().numpy()
    return rows
