"""How data says itself to be divided: into parts that it names, or by groups that stay together."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from nas.data.files import DataError
from nas.data.splits import hold_out, split
from nas.data.task import Split, Task
from nas.preprocessing import Preprocessing
from nas.quality import TaskKind

PARTS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""The parts by the names that data gives them."""
PART, GROUP = "split", "group"
"""Names of columns, and of arrays, that say which part or group a sample belongs to."""
FOLDS = 5
"""One in so many samples, by whole groups, is for the test, and as many are for validation."""

_NAME = "<U10"  # as long as the longest name of a part


@dataclass(frozen=True, kw_only=True)
class Division:
    """Of each sample the `part`, of `PARTS`, or the `group`, such as the patient that it is of; None where
    the data does not say.
    """

    part: Sequence[str] | None = None
    group: Sequence[str] | None = None

    def __bool__(self) -> bool:
        return self.part is not None or self.group is not None


NONE = Division()


def divided(
    name: str,
    data: Split,
    classes: int,
    rng: np.random.Generator,
    division: Division = NONE,
    class_names: tuple[str, ...] | None = None,
    kind: TaskKind = "classification",
    preprocessing: Preprocessing | None = None,
) -> Task:
    """A task of this `kind`, of data that is divided as it says, or else 60 : 20 : 20 by class, as `split` does.

    Samples of one group are all in one part: whole groups are held out, about a fifth of the samples
    each for validation and test, in which classes have nearly their shares. Of data that names a part
    for the test but none for validation, a tenth of the training samples are held out for it, or a
    fifth by groups.

    Raises:
        DataError: if there is another part than those of `PARTS`, none for training or the test, or
            fewer than 5 groups to divide, or a sample without one.
        ValueError: as `split` does.
    """
    if not division:
        return split(
            name,
            data,
            classes,
            rng,
            class_names=class_names,
            kind=kind,
            preprocessing=preprocessing,
        )
    parts, groups = _parts(name, division.part), division.group
    if groups is not None and "" in groups:
        raise DataError(
            f"{name} must have a {GROUP} for each sample, but sample {groups.index('')} has none"
        )
    if parts is None:
        assert groups is not None
        parts = np.full(len(data.labels), "train", _NAME)
        _hold_out(name, "test", parts, data, groups, rng, FOLDS)
    if not (parts == "validation").any():
        if groups is None:
            train, test = _of(data, parts == "train"), _of(data, parts == "test")
            return hold_out(
                name,
                train,
                test,
                classes,
                rng,
                class_names=class_names,
                kind=kind,
                preprocessing=preprocessing,
            )
        _hold_out(name, "validation", parts, data, groups, rng, FOLDS - 1)
    return Task(
        name=name,
        train=_of(data, parts == "train"),
        validation=_of(data, parts == "validation"),
        test=_of(data, parts == "test"),
        classes=classes,
        class_names=class_names,
        kind=kind,
        preprocessing=preprocessing,
    )


def _of(data: Split, chosen: NDArray[np.bool_]) -> Split:
    mask = torch.from_numpy(chosen)
    return Split(data.inputs[mask], data.labels[mask])


def _parts(name: str, stated: Sequence[str] | None) -> NDArray[np.str_] | None:
    if stated is None:
        return None
    for number, part in enumerate(stated):
        if part.strip().lower() not in PARTS:
            raise DataError(
                f"the parts of {name}, named {PART}, must be of {', '.join(PARTS)}, but sample {number} is of {part!r}"
            )
    parts = np.array([PARTS[part.strip().lower()] for part in stated], _NAME)
    if lacking := {"train", "test"} - set(parts.tolist()):
        raise DataError(
            f"the parts of {name}, named {PART}, must have samples for train and test, but none is for {', '.join(lacking)}"
        )
    return parts


def _hold_out(
    name: str,
    part: str,
    parts: NDArray[np.str_],
    data: Split,
    groups: Sequence[str],
    rng: np.random.Generator,
    folds: int,
) -> None:
    """Moves one of `folds` shares of the training samples, in whole groups, to another part."""
    # Imported here, because it takes a second.
    from sklearn.model_selection import StratifiedGroupKFold

    rows = np.flatnonzero(parts == "train")
    of, labels = np.asarray(groups)[rows], data.labels.numpy()[rows]
    if labels.dtype.kind == "f":  # targets have no shares to keep
        labels = np.zeros(len(rows), np.int64)
    if (count := len(set(of.tolist()))) < folds:
        raise DataError(
            f"{name} must have at least {folds} groups to hold some out for {part}, but has {count}"
        )
    folded = StratifiedGroupKFold(folds, shuffle=True, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer samples than folds
        _, held = next(folded.split(rows, labels, of))
    parts[rows[held]] = part
