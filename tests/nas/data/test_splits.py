import random
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.data import Split, hold_out, split

LABELS = torch.tensor([0] * 50 + [1] * 30 + [2] * 20)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def numbered(labels: torch.Tensor) -> torch.Tensor:
    """Inputs that say which sample they are."""
    return torch.arange(len(labels), dtype=torch.float32)[:, None]


def ids(part: Split) -> list[int]:
    return [int(value) for value in part.inputs[:, 0]]


def of_class(part: Split) -> Counter[int]:
    return Counter(part.labels.tolist())


def test_a_split_gives_each_part_its_share_of_every_class() -> None:
    task = split("t", Split(numbered(LABELS), LABELS), 3, rng())
    assert of_class(task.train) == {0: 30, 1: 18, 2: 12}
    assert of_class(task.validation) == of_class(task.test) == {0: 10, 1: 6, 2: 4}


def test_holding_out_leaves_the_test_split_alone() -> None:
    test = Split(torch.zeros(2, 1), torch.tensor([1, 1]))
    task = hold_out("t", Split(numbered(LABELS), LABELS), test, 3, rng())
    assert task.test is test
    assert of_class(task.train) == {0: 45, 1: 27, 2: 18}
    assert of_class(task.validation) == {0: 5, 1: 3, 2: 2}


@settings(deadline=None)  # a busy machine is no failure
@given(
    counts=st.lists(st.integers(3, 40), min_size=2, max_size=6),
    validation=st.floats(0.1, 0.3),
    test=st.floats(0.1, 0.3),
    seed=st.integers(0, 2**32),
)
def test_the_parts_are_disjoint_complete_and_stratified(
    counts: list[int], validation: float, test: float, seed: int
) -> None:
    labels = torch.tensor([label for label, count in enumerate(counts) for _ in range(count)])
    labels = labels[torch.from_numpy(rng(seed).permutation(len(labels)))]
    task = split("t", Split(numbered(labels), labels), len(counts), rng(seed), validation, test)
    parts = (task.train, task.validation, task.test)
    assert sorted(index for part in parts for index in ids(part)) == list(range(len(labels)))
    for part, fraction in zip(parts, (1 - validation - test, validation, test), strict=True):
        assert part.labels.tolist() == labels[ids(part)].tolist()
        assert ids(part) == sorted(ids(part))
        assert abs(len(part.labels) - fraction * len(labels)) <= 1.5
        for label, count in enumerate(counts):
            assert abs(of_class(part)[label] - fraction * count) < 2


def test_every_sample_of_a_class_is_as_likely_to_be_held_out() -> None:
    test = Split(torch.zeros(1, 1), torch.tensor([0]))
    labels = torch.tensor([0] * 6 + [1] * 4)
    held = Counter(
        i
        for seed in range(600)
        for i in ids(
            hold_out("t", Split(numbered(labels), labels), test, 2, rng(seed), 0.5).validation
        )
    )
    assert all(240 <= held[index] <= 360 for index in range(10))


def test_the_seed_decides_the_split_and_nothing_global_does() -> None:
    def parts(seed: int) -> list[list[int]]:
        task = split("t", Split(numbered(LABELS), LABELS), 3, rng(seed))
        return [ids(task.train), ids(task.validation), ids(task.test)]

    first = parts(1)
    random.seed(5), np.random.seed(5), torch.manual_seed(5)  # noqa: NPY002
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    assert parts(1) == first
    assert parts(2) != first
    assert random.getstate() == before[0]
    assert str(np.random.get_state()) == str(before[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


@pytest.mark.parametrize(
    ("validation", "test"),
    [(0.0, 0.2), (0.2, 0.0), (0.5, 0.5), (-0.1, 0.2), (float("nan"), 0.2), (0.2, 1.0)],
)
def test_fractions_that_leave_nothing_are_refused(validation: float, test: float) -> None:
    with pytest.raises(
        ValueError, match=f"above 0 and below 1 together, but got {validation} and {test}"
    ):
        split("t", Split(numbered(LABELS), LABELS), 3, rng(), validation, test)


@pytest.mark.parametrize("validation", [0.0, 1.0, -0.5, float("nan")])
def test_a_fraction_outside_0_to_1_is_refused(validation: float) -> None:
    with pytest.raises(
        ValueError, match=f"validation must be above 0 and below 1, but got {validation}"
    ):
        hold_out(
            "t",
            Split(numbered(LABELS), LABELS),
            Split(numbered(LABELS), LABELS),
            3,
            rng(),
            validation,
        )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            LABELS[:99],
            "the data of 't' must have a label for each input, but has 100 inputs and 99 labels",
        ),
        (
            LABELS.to(torch.int32),
            "labels of the data of 't' must be torch.int64, but are torch.int32",
        ),
        (LABELS + 1, "labels of the data of 't' must lie in 0 … 2, but label 80 is 3"),
        (torch.zeros_like(LABELS), "must hold at least 2 classes, but holds only class 0"),
    ],
)
def test_unusable_data_is_refused_before_it_is_split(labels: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split("t", Split(numbered(LABELS), labels), 3, rng())


def test_a_class_that_would_not_be_trained_on_is_refused() -> None:
    labels = torch.tensor([0, 0, 1, 2, 2])

    for seed in range(3):
        with pytest.raises(
            ValueError,
            match="class of 't' must keep a sample to train on, but all 1 of class 1 are held back",
        ):
            split("t", Split(numbered(labels), labels), 3, rng(seed))


def test_a_part_without_a_sample_is_refused() -> None:
    with pytest.raises(
        ValueError, match="validation split of 't' must hold at least one sample, but is empty"
    ):
        hold_out(
            "t",
            Split(numbered(LABELS[48:52]), LABELS[48:52]),
            Split(numbered(LABELS), LABELS),
            3,
            rng(),
            0.1,
        )
