"""What tasks ask of networks, and the metrics of quality that go with each kind of task."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

TaskKind = Literal["classification", "binary", "regression"]

Floats = NDArray[np.float64]
Labels = NDArray[Any]


@dataclass(frozen=True)
class Quality:
    """A metric of outputs [N, K] and labels: class indices [N], or the targets of a regression,
    [N] or [N, K].

    Args:
        measured: the metric
        largest: whether more is better
    """

    measured: Callable[[Floats, Labels], float]
    largest: bool = True


def taken_for(outputs: NDArray[Any]) -> NDArray[np.int64]:
    """The classes [N] that logits [N, classes] say; of one logit, [N, 1], class 1 where it is above 0."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0.0).astype(np.int64)
    taken: NDArray[np.int64] = outputs.argmax(1)
    return taken


def accuracy(outputs: Floats, labels: Labels) -> float:
    """The share of samples, 0 to 1, that are taken for their class."""
    return int((taken_for(outputs) == labels).sum()) / len(labels)


def balanced_accuracy(outputs: Floats, labels: Labels) -> float:
    """The mean over the classes of the share of their samples that are taken for them, 0 to 1;
    classes without samples are left out.
    """
    right = taken_for(outputs) == labels
    return float(np.mean([right[labels == each].mean() for each in np.unique(labels)]))


def f1(outputs: Floats, labels: Labels) -> float:
    """The harmonic mean of precision and recall, 0 to 1: of class 1 if there is one logit, else the
    mean over the classes that samples have or are taken for.
    """
    taken = taken_for(outputs)
    classes = [1] if outputs.shape[1] == 1 else [*np.union1d(labels, taken)]
    hits = [2 * ((taken == each) & (labels == each)).sum() for each in classes]
    all_of = [(taken == each).sum() + (labels == each).sum() for each in classes]
    return float(np.mean([hit / max(1, total) for hit, total in zip(hits, all_of, strict=True)]))


def auc(outputs: Floats, labels: Labels) -> float:
    """The area under the receiver operating characteristic, 0 to 1: the share of pairs of a sample of
    the class and another one in which the first has the larger output, ties counting half. Of several
    classes it is the mean over those with samples, each against the rest by its probability (Fawcett,
    2006); 0.5 if all samples are of one class.
    """
    if outputs.shape[1] == 1:
        scores = {1: outputs[:, 0]}
    elif outputs.shape[1] == 2:
        scores = {1: outputs[:, 1] - outputs[:, 0]}
    else:
        powers = np.exp(outputs - outputs.max(1, keepdims=True))
        scores = dict(enumerate((powers / powers.sum(1, keepdims=True)).T))
    areas = [_area(values, labels == each) for each, values in scores.items()]
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if known else 0.5


def _area(values: Floats, inside: NDArray[np.bool_]) -> float | None:
    count = int(inside.sum())
    if count in (0, len(values)):
        return None
    _, place, times = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[place]
    return float((ranks[inside].sum() - count * (count + 1) / 2) / (count * (len(values) - count)))


def mae(outputs: Floats, targets: Labels) -> float:
    """The mean absolute error, in the unit of the targets."""
    return float(np.abs(outputs - targets.reshape(outputs.shape)).mean())


def rmse(outputs: Floats, targets: Labels) -> float:
    """The root of the mean squared error, in the unit of the targets."""
    return float(np.sqrt(((outputs - targets.reshape(outputs.shape)) ** 2).mean()))


def r2(outputs: Floats, targets: Labels) -> float:
    """The share of the variance of the targets that is explained, at most 1; the mean over several
    targets. A target that is the same in all samples counts 1 if it is met, else 0.
    """
    wanted = targets.reshape(outputs.shape).astype(np.float64)
    missed = ((outputs - wanted) ** 2).sum(0)
    spread = ((wanted - wanted.mean(0)) ** 2).sum(0)
    explained = 1.0 - missed / np.where(spread > 0.0, spread, 1.0)
    return float(np.where(spread > 0.0, explained, missed == 0.0).mean())


QUALITIES: Mapping[str, Quality] = {
    "accuracy": Quality(accuracy),
    "balanced_accuracy": Quality(balanced_accuracy),
    "f1": Quality(f1),
    "auc": Quality(auc),
    "r2": Quality(r2),
    "mae": Quality(mae, largest=False),
    "rmse": Quality(rmse, largest=False),
}

_OF_CLASSES = ("accuracy", "balanced_accuracy", "f1", "auc")


@dataclass(frozen=True)
class Kind:
    """A kind of task.

    Args:
        qualities: the metrics that an objective can name; the first is measured along a training
        always: those that every evaluation has, whatever the objective names
    """

    qualities: tuple[str, ...]
    always: tuple[str, ...]

    @property
    def score(self) -> str:
        """The metric that is measured along a training."""
        return self.qualities[0]

    def measured(self, named: Iterable[str]) -> tuple[str, ...]:
        """The metrics of an evaluation whose objective has these names, costs among them."""
        return tuple(dict.fromkeys((*self.always, *(n for n in named if n in self.qualities))))


KINDS: Mapping[TaskKind, Kind] = {
    "classification": Kind(_OF_CLASSES, ("accuracy",)),
    "binary": Kind(_OF_CLASSES, ("accuracy", "auc")),
    "regression": Kind(("r2", "mae", "rmse"), ("r2", "mae", "rmse")),
}
"""Classes with a logit each; two classes with one logit, that of class 1; and real targets."""


def check_task_kind(kind: str) -> None:
    """Checks that there is such a kind of task.

    Raises:
        ValueError: if there is not.
    """
    if kind not in KINDS:
        raise ValueError(f"the kind of a task must be one of {[*KINDS]}, but got {kind!r}")
