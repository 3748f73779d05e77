from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nas.data import Split, Task

NAN, INF = float("nan"), float("inf")


def samples(*labels: int) -> Split:
    return Split(torch.arange(4.0 * len(labels)).reshape(-1, 1, 2, 2), torch.tensor(labels))


TASK = Task(
    name="shapes",
    train=samples(0, 1, 2, 1),
    validation=samples(2, 0),
    test=samples(1, 1),
    classes=3,
)


def with_split(field: str, split: Split) -> Task:
    changed: dict[str, Any] = {field: split}
    return replace(TASK, **changed)


def with_input(split: Split, index: tuple[int, ...], value: float) -> Split:
    inputs = split.inputs.clone()
    inputs[index] = value
    return Split(inputs, split.labels)


def flat(split: Split) -> Split:
    return Split(split.inputs.flatten(1), split.labels)


def test_the_example_is_the_first_training_input_as_a_batch_of_one() -> None:
    assert torch.equal(TASK.example, torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]]))


def test_the_first_samples_of_a_task_are_of_the_same_task() -> None:
    fewer = TASK.first(3)
    assert torch.equal(fewer.train.inputs, TASK.train.inputs[:3])
    assert fewer.train.labels.tolist() == [0, 1, 2]
    assert (fewer.name, fewer.classes) == (TASK.name, TASK.classes)
    assert (fewer.validation, fewer.test) == (TASK.validation, TASK.test)
    assert fewer.digest != TASK.digest == TASK.first(None).digest
    for count in (0, -1):
        with pytest.raises(
            ValueError, match=f"must keep at least 1 training sample, but got {count}"
        ):
            TASK.first(count)


def test_training_and_validation_samples_together_are_one_training_split() -> None:
    both = TASK.with_validation()
    assert both.train.labels.tolist() == [0, 1, 2, 1, 2, 0]
    assert torch.equal(both.train.inputs[:4], TASK.train.inputs)
    assert torch.equal(both.train.inputs[4:], TASK.validation.inputs)
    assert (both.name, both.test) == (TASK.name, TASK.test)


def test_a_task_may_have_tables_for_inputs_and_classes_that_only_training_has() -> None:
    table = Split(torch.zeros(2, 5), torch.tensor([0, 1]))
    one_class = Split(torch.zeros(1, 5), torch.tensor([1]))
    assert Task(
        name="table", train=table, validation=one_class, test=one_class, classes=2
    ).example.shape == (1, 5)


@pytest.mark.fault(46, 47, 48)
@pytest.mark.parametrize("field", ["train", "validation", "test"])
@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (
            torch.zeros(2, 1, 2, 2, dtype=torch.float64),
            torch.tensor([0, 1]),
            "must be torch.float32, but are torch.float64",
        ),
        (
            torch.zeros(2, 1, 2, 2, dtype=torch.uint8),
            torch.tensor([0, 1]),
            "must be torch.float32, but are torch.uint8",
        ),
        (
            torch.zeros(2, 1, 2, 2),
            torch.tensor([0, 1], dtype=torch.int32),
            "must be torch.int64, but are torch.int32",
        ),
        (torch.zeros(2), torch.tensor([0, 1]), r"must have a shape \[N, …\], but have \[2\]"),
        (torch.zeros(2, 0), torch.tensor([0, 1]), r"must have a shape \[N, …\], but have \[2, 0\]"),
        (
            torch.zeros(2, 1, 2, 2),
            torch.tensor([[0], [1]]),
            r"must have a shape \[N\], but have \[2, 1\]",
        ),
        (torch.zeros(3, 1, 2, 2), torch.tensor([0, 1]), "has 3 inputs and 2 labels"),
        (
            torch.zeros(0, 1, 2, 2),
            torch.zeros(0, dtype=torch.int64),
            "at least one sample, but is empty",
        ),
        (
            with_input(samples(0, 1), (1, 0, 1, 0), NAN).inputs,
            torch.tensor([0, 1]),
            "must be finite, but sample 1 holds nan",
        ),
        (
            with_input(samples(0, 1), (0, 0, 0, 0), INF).inputs,
            torch.tensor([0, 1]),
            "must be finite, but sample 0 holds inf",
        ),
        (
            with_input(samples(0, 1), (1, 0, 1, 1), -INF).inputs,
            torch.tensor([0, 1]),
            "must be finite, but sample 1 holds -inf",
        ),
        (torch.zeros(3, 1, 2, 2), torch.tensor([0, 3, 7]), "must lie in 0 … 2, but label 1 is 3"),
        (torch.zeros(3, 1, 2, 2), torch.tensor([0, 1, -1]), "must lie in 0 … 2, but label 2 is -1"),
    ],
)
def test_unusable_data_is_refused_with_its_split(
    field: str, inputs: Tensor, labels: Tensor, message: str
) -> None:
    split = {"train": "training"}.get(field, field)
    with pytest.raises(ValueError, match=f"{split} split of 'shapes' .*{message}"):
        with_split(field, Split(inputs, labels))


@pytest.mark.fault(47)
@pytest.mark.parametrize("field", ["validation", "test"])
def test_samples_of_one_shape_are_required(field: str) -> None:
    other = Split(torch.zeros(2, 1, 2, 3), torch.tensor([0, 1]))
    with pytest.raises(
        ValueError,
        match=rf"{field} split of 'shapes' must be \(1, 2, 2\) as in training, but are \(1, 2, 3\)",
    ):
        with_split(field, other)


@pytest.mark.fault(48)
def test_fewer_than_two_classes_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match="training split of 'shapes' must hold at least 2 classes, but holds only class 1",
    ):
        replace(TASK, train=samples(1, 1, 1))
    with pytest.raises(ValueError, match="at least 2 classes, but got 1"):
        replace(TASK, classes=1)


def test_the_digest_is_that_of_the_contents() -> None:
    again = Task(
        name="shapes",
        train=samples(0, 1, 2, 1),
        validation=samples(2, 0),
        test=samples(1, 1),
        classes=3,
    )
    assert TASK.digest == again.digest == "d795c1e44e39de5f"


def test_the_digest_does_not_depend_on_how_the_memory_is_laid_out() -> None:
    inputs = torch.rand(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    plain = Split(inputs, torch.tensor([0, 1, 2, 0]))
    channels_last = Split(inputs.to(memory_format=torch.channels_last), plain.labels)
    assert (
        Task(name="t", train=plain, validation=plain, test=plain, classes=3).digest
        == Task(name="t", train=channels_last, validation=plain, test=plain, classes=3).digest
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(TASK, name="other"),
        replace(TASK, classes=4),
        replace(TASK, train=with_input(TASK.train, (3, 0, 1, 1), 15.5)),
        replace(TASK, validation=with_input(TASK.validation, (0, 0, 0, 0), 0.5)),
        replace(TASK, test=with_input(TASK.test, (1, 0, 0, 1), 5.5)),
        replace(TASK, train=samples(0, 1, 2, 2)),
        replace(TASK, test=samples(1, 2)),
        replace(TASK, validation=TASK.test, test=TASK.validation),
        Task(
            name="shapes",
            train=flat(TASK.train),
            validation=flat(TASK.validation),
            test=flat(TASK.test),
            classes=3,
        ),
    ],
)
def test_the_digest_changes_with_one_name_pixel_label_or_shape(other: Task) -> None:
    assert other.digest != TASK.digest
