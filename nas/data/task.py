"""Tasks: data sets for classification or regression in three splits."""

import hashlib
import sys
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from nas.preprocessing import Preprocessing
from nas.quality import TaskKind, check_task_kind


@dataclass(frozen=True, eq=False)
class Split:
    """Samples: `inputs`, float32 [N, …], and their class indices, `labels`, int64 [N]; of a regression
    their targets, float32 [N] or [N, K].
    """

    inputs: Tensor
    labels: Tensor

    def __repr__(self) -> str:
        return f"Split({len(self.labels):,} samples of {tuple(self.inputs.shape[1:])})"

    def to(self, device: torch.device | str) -> "Split":
        """The same samples on a device."""
        return Split(self.inputs.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """A data set: networks are trained on `train`, chosen by `validation`, and the best is reported on
    `test`.

    `name` is part of the identity of a run, and `classes` is the number of classes; `class_names`
    are their names in the order of the labels (None: not known). `kind` says what networks give: a
    logit for each class; with "binary" one logit, of class 1 of two; or with "regression", which has
    no classes, the targets themselves. Targets are best about 0 and of a spread of about 1, since
    networks begin there (`nas.data.standardized_targets`); errors are in their unit.
    `preprocessing` says how raw values became the inputs (None: not known): files can carry it, and no
    result depends on it.

    Raises:
        ValueError: if there are fewer than 2 classes (binary: other than 2; regression: any), or other than
            one name for each; if a split is empty, or has wrong types or shapes, inputs or targets that
            are not finite or labels outside 0 … classes - 1; if samples or targets of two splits differ
            in shape, or have other channels than the preprocessing; or if the training split holds only one class or target.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int = 0
    class_names: tuple[str, ...] | None = None
    kind: TaskKind = "classification"
    preprocessing: Preprocessing | None = None

    def __post_init__(self) -> None:
        check_task_kind(self.kind)
        names = self.class_names
        if names is not None and not len(names) == len(set(names)) == self.classes:
            raise ValueError(
                f"the class names of {self.name!r} must be {self.classes} different ones, but are {names}"
            )
        for part, split in self._splits.items():
            check_split(f"the {part} split of {self.name!r}", split, self.classes, self.kind)
            sample, expected = tuple(split.inputs.shape[1:]), tuple(self.train.inputs.shape[1:])
            if sample != expected:
                raise ValueError(
                    f"samples of the {part} split of {self.name!r} must be {expected} as in training, but are {sample}"
                )
            wide, expected = tuple(split.labels.shape[1:]), tuple(self.train.labels.shape[1:])
            if wide != expected:
                raise ValueError(
                    f"targets of the {part} split of {self.name!r} must be {expected} as in training, but are {wide}"
                )
        if self.preprocessing is not None:
            self.preprocessing.check(tuple(self.train.inputs.shape[1:]))
        first = self.train.labels[0]
        if (self.train.labels == first).all():
            one, more = ("target", "targets") if self.kind == "regression" else ("class", "classes")
            raise ValueError(
                f"the training split of {self.name!r} must hold at least 2 {more}, but holds only {one} {first.tolist()}"
            )

    @property
    def outputs(self) -> int:
        """How many numbers a network gives for a sample."""
        if self.kind == "regression":
            return self.train.labels[0].numel()
        return 1 if self.kind == "binary" else self.classes

    @property
    def _splits(self) -> dict[str, Split]:
        return {"training": self.train, "validation": self.validation, "test": self.test}

    @property
    def example(self) -> Tensor:
        """A copy of the first training input, as a batch of one."""
        return self.train.inputs[:1].clone()

    def first(self, samples: int | None) -> "Task":
        """The same task with the first `samples` training samples, all with None.

        Raises:
            ValueError: if `samples` is below 1, or these do not make a task.
        """
        if samples is not None and samples < 1:
            raise ValueError(f"a task must keep at least 1 training sample, but got {samples}")
        train = Split(self.train.inputs[:samples], self.train.labels[:samples])
        return replace(self, train=train)

    def to(self, device: torch.device | str) -> "Task":
        """The same task with its samples on a device: a network that is trained on them is trained there."""
        if self.train.inputs.device == torch.device(device):  # and so are the others
            return self
        train, validation, test = (each.to(device) for each in self._splits.values())
        return replace(self, train=train, validation=validation, test=test)

    def with_validation(self) -> "Task":
        """The same task with the validation samples after the others in the training split.

        The first of them stands in for the validation split: nothing may be chosen by it.
        """
        train, held = self.train, self.validation
        inputs = torch.cat((train.inputs, held.inputs))
        labels = torch.cat((train.labels, held.labels))
        stand_in = Split(held.inputs[:1], held.labels[:1])
        return replace(self, train=Split(inputs, labels), validation=stand_in)

    @cached_property
    def digest(self) -> str:
        """A hash of the name, the number of classes and all samples, 16 hexadecimal digits; not of the
        names of classes and the preprocessing, which change no result.
        """
        tensors = [
            tensor for split in self._splits.values() for tensor in (split.inputs, split.labels)
        ]
        # The shapes come first, so that the bytes of different tasks cannot be the same.
        kind = () if self.kind == "classification" else (self.kind,)  # tasks had no other at first
        digest = hashlib.sha256(
            repr(
                (self.name, self.classes, [tuple(tensor.shape) for tensor in tensors], *kind)
            ).encode()
        )
        for tensor in tensors:
            digest.update(tensor.contiguous().cpu().numpy().data)
        return digest.hexdigest()[:16]


def check_split(
    subject: str, split: Split, classes: int, kind: TaskKind = "classification"
) -> None:
    """Checks types, shapes and values of a split; `subject` names it in messages.

    Raises:
        ValueError: if the split cannot be part of a `Task`.
    """
    least, most = {"classification": (2, sys.maxsize), "binary": (2, 2)}.get(kind, (0, 0))
    if not least <= classes <= most:
        wanted = f"{least} classes" if least == most else f"at least {least} classes"
        raise ValueError(f"{subject} must have {wanted}, but got {classes}")
    inputs, labels, real = split.inputs, split.labels, kind == "regression"
    for what, tensor, dtype in (
        ("inputs", inputs, torch.float32),
        ("labels", labels, torch.float32 if real else torch.int64),
    ):
        if tensor.dtype != dtype:
            raise ValueError(f"the {what} of {subject} must be {dtype}, but are {tensor.dtype}")
    _check_shapes(subject, split, real)
    _check_finite(subject, "inputs", inputs)
    if real:
        _check_finite(subject, "labels", labels)
        return
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        index = int(outside.nonzero()[0])
        raise ValueError(
            f"the labels of {subject} must lie in 0 … {classes - 1}, but label {index} is {labels[index].item()}"
        )


def _check_shapes(subject: str, split: Split, real: bool) -> None:
    inputs, labels = split.inputs, split.labels
    if inputs.ndim < 2 or 0 in inputs.shape[1:]:
        raise ValueError(
            f"the inputs of {subject} must have a shape [N, …], but have {list(inputs.shape)}"
        )
    if labels.ndim != 1 and not (real and labels.ndim == 2 and labels.shape[1]):
        shape = "[N] or [N, K]" if real else "[N]"
        raise ValueError(
            f"the labels of {subject} must have a shape {shape}, but have {list(labels.shape)}"
        )
    if len(inputs) != len(labels):
        raise ValueError(
            f"{subject} must have a label for each input, but has {len(inputs)} inputs and {len(labels)} labels"
        )
    if not len(labels):
        raise ValueError(f"{subject} must hold at least one sample, but is empty")


def _check_finite(subject: str, what: str, tensor: Tensor) -> None:
    # A tenth of the time of isfinite() on all: a NaN is both the minimum and the maximum.
    if not torch.stack(tensor.aminmax()).isfinite().all():
        place = tensor.isfinite().logical_not().nonzero()[0]
        raise ValueError(
            f"the {what} of {subject} must be finite, but sample {place[0]} holds {tensor[tuple(place)]}"
        )
