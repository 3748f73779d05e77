import pytest

from strategies.bayesian.results import Results


def test_the_best_half_and_the_latest_are_remembered() -> None:
    results = Results(memory=6)
    scores = [0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.05, 0.6, 0.01]
    for index, score in enumerate(scores):
        results.add((index,), score)
    genotypes, remembered = results.remembered()
    assert sorted(genotypes) == [(0,), (2,), (4,), (6,), (7,), (8,)]
    assert remembered == [scores[index] for (index,) in genotypes]
    assert len(results) == 9


def test_the_best_come_first_and_of_equals_the_earliest() -> None:
    results = Results(memory=4)
    for index, score in enumerate([0.5, 0.9, 0.9, 0.1]):
        results.add((index,), score)
    assert results.best(3) == [(1,), (2,), (0,)]


def test_a_memory_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="memory must be at least 2, but got 1"):
        Results(memory=1)
