import numpy as np
import pytest

from nas.report.importance import INACTIVE, LEAST_TRIALS, explained, importances
from tests.nas.report.runs import trial


def test_a_choice_that_decides_explains_all_and_the_other_nothing() -> None:
    trials = [
        trial(
            id,
            accuracy=0.25 + 0.5 * (id % 2),
            design={"bits": id % 2, "width": id // 2 % 2, "fixed": 1},
        )
        for id in range(16)
    ]
    bits, width = importances(trials, "accuracy")
    assert (bits.choice, bits.share, bits.options, bits.best, bits.average) == (
        "bits",
        1.0,
        2,
        1,
        0.75,
    )
    assert (width.choice, width.share) == ("width", 0.0)
    assert importances(trials, "accuracy", largest=False)[0].best == 0


def test_epsilon_squared_of_a_known_table() -> None:
    # Between 6, within 4 of 10 in all: 1 - (4 / 4) / (10 / 5).
    assert explained([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]) == pytest.approx(1 - (4 / 4) / (10 / 5))
    assert explained([[1.0], [2.0]]) is None


def test_chance_explains_little_on_average() -> None:
    rng = np.random.default_rng(0)
    shares = [explained(rng.random((6, 5)).tolist()) for _ in range(200)]
    assert np.mean([share for share in shares if share is not None]) < 0.08  # eta squared: 0.17


def test_where_a_choice_is_not_active_is_a_group_of_its_own() -> None:
    trials = [
        trial(id, accuracy=0.9 if id % 2 else 0.1, design={"d": 1} if id % 2 else {"d": 1, "w": 8})
        for id in range(10)
    ]
    (found,) = importances(trials, "accuracy")
    assert (found.choice, found.best, found.options) == ("w", INACTIVE, 2)


def test_few_or_equal_trials_say_nothing() -> None:
    few = [trial(id, accuracy=id / 10, design={"w": id % 2}) for id in range(LEAST_TRIALS - 1)]
    equal = [trial(id, design={"w": id % 2}) for id in range(20)]
    assert importances(few, "accuracy") == importances(equal, "accuracy") == []
    lists = [trial(id, accuracy=id / 10, design={"k": [id % 2, 3]}) for id in range(LEAST_TRIALS)]  # type: ignore[dict-item]
    assert importances(lists, "accuracy")[0].best == (1, 3)
