import pytest

from strategies.bayesian.observations import Observations


def test_the_training_set_is_the_best_half_and_the_latest() -> None:
    observations = Observations(memory=6)
    scores = [0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.05, 0.6, 0.01]
    for index, score in enumerate(scores):
        observations.add((index,), score)
    genotypes, kept = observations.training_set()
    assert sorted(genotypes) == [(0,), (2,), (4,), (6,), (7,), (8,)]
    assert kept == [scores[index] for (index,) in genotypes]
    assert len(observations) == 9


def test_the_best_come_first_and_ties_in_order() -> None:
    observations = Observations(memory=4)
    for index, score in enumerate([0.5, 0.9, 0.9, 0.1]):
        observations.add((index,), score)
    assert observations.best(3) == [(1,), (2,), (0,)]


def test_a_memory_below_two_is_refused() -> None:
    with pytest.raises(ValueError, match="memory must be at least 2, but got 1"):
        Observations(memory=1)


def test_the_share_above_a_score_counts_what_is_better_and_no_ties() -> None:
    observations = Observations(memory=2)
    assert observations.share_above(0.5) == 0
    for index, score in enumerate((0.1, 0.5, 0.5, 0.9)):
        observations.add((index,), score)
    assert [observations.share_above(score) for score in (0.0, 0.5, 0.9)] == [1.0, 0.25, 0.0]
