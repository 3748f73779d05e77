"""Random validation and test splits, stratified by class, or by the target."""

import numpy as np
import torch

from nas.data.task import Split, Task, check_split
from nas.preprocessing import Preprocessing
from nas.quality import TaskKind


def split(
    name: str,
    data: Split,
    classes: int,
    rng: np.random.Generator,
    validation: float = 0.2,
    test: float = 0.2,
    class_names: tuple[str, ...] | None = None,
    kind: TaskKind = "classification",
    preprocessing: Preprocessing | None = None,
) -> Task:
    """A task from data without a test set; `validation` and `test` are fractions of all samples.

    `class_names`, `kind` and `preprocessing` are those of the `Task`.

    Raises:
        ValueError: if the fractions leave no training samples, a class has too few samples, or the
            data does not make a `Task`.
    """
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise ValueError(
            f"validation and test must be above 0 and below 1 together, but got {validation} and {test}"
        )
    rest, held = _hold_back(name, data, classes, test, rng, kind)
    share = validation / (1 - test)
    return hold_out(name, rest, held, classes, rng, share, class_names, kind, preprocessing)


def hold_out(
    name: str,
    train: Split,
    test: Split,
    classes: int,
    rng: np.random.Generator,
    validation: float = 0.1,
    class_names: tuple[str, ...] | None = None,
    kind: TaskKind = "classification",
    preprocessing: Preprocessing | None = None,
) -> Task:
    """A task from data with a test set; `validation` is a fraction of the training samples.

    `class_names`, `kind` and `preprocessing` are those of the `Task`.

    Raises:
        ValueError: if the fraction is not between 0 and 1, a class has too few samples, or the data
            does not make a `Task`.
    """
    if not 0 < validation < 1:
        raise ValueError(f"validation must be above 0 and below 1, but got {validation}")
    rest, held = _hold_back(name, train, classes, validation, rng, kind)
    return Task(
        name=name,
        train=rest,
        validation=held,
        test=test,
        classes=classes,
        class_names=class_names,
        kind=kind,
        preprocessing=preprocessing,
    )


def _hold_back(
    name: str,
    data: Split,
    classes: int,
    fraction: float,
    rng: np.random.Generator,
    kind: TaskKind,
) -> tuple[Split, Split]:
    """The samples that are left and those that are held back, each in their original order."""
    check_split(f"the data of {name!r}", data, classes, kind)
    labels = data.labels.numpy()
    if kind == "regression":  # ten by ten in order of the first target
        labels = labels.reshape(len(labels), -1)[:, 0].argsort().argsort() // 10
    shuffled = rng.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    # Every 1/fraction-th sample in order of class, so that the share of each class and of all is
    # exact to one sample.
    steps = np.floor(np.arange(len(labels) + 1) * fraction + 0.5)
    held = torch.zeros(len(labels), dtype=torch.bool)
    held[by_class[np.diff(steps) > 0]] = True
    lost = np.setdiff1d(labels, labels[~held.numpy()])
    if lost.size and kind != "regression":
        count = np.count_nonzero(labels == lost[0])
        raise ValueError(
            f"each class of {name!r} must keep a sample to train on, but all {count} of class {lost[0]} are held back"
        )
    return Split(data.inputs[~held], data.labels[~held]), Split(
        data.inputs[held], data.labels[held]
    )
