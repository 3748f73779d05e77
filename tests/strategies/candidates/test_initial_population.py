import pytest

from strategies.candidates.individual import DeapFitness, Individual
from strategies.candidates.initial_population import PATIENCE, InitialPopulation


def candidate(number: int, score: float) -> Individual:
    return Individual((number,), DeapFitness((score,)))


def complete(count: int, scores: list[float]) -> list[int]:
    """The numbers of the founders, which the last score completes."""
    founders = InitialPopulation(count)
    for number, score in enumerate(scores[:-1]):
        assert founders.joined_by(candidate(number, score)) == ()
    return [
        founder.genotype[0]
        for founder in founders.joined_by(candidate(len(scores) - 1, scores[-1]))
    ]


def test_they_are_the_first_that_meet_the_budget_in_order() -> None:
    assert complete(3, [0.1, -0.1, 0.9, -0.2, 0.0]) == [0, 2, 4]


def test_where_too_few_meet_it_those_that_break_it_least_are_taken_besides() -> None:
    scores = [-1.0] * (3 * PATIENCE)
    scores[5], scores[7], scores[40] = -0.2, 0.5, -0.1
    assert complete(3, scores) == [5, 7, 40]


def test_a_number_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 random candidate, but got 0"):
        InitialPopulation(0)
