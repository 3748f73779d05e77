import pytest

from strategies.candidates.individual import DeapFitness, Individual
from strategies.candidates.initial_population import SAMPLES_PER_MEMBER, InitialPopulation


def candidate(number: int, score: float) -> Individual:
    return Individual((number,), DeapFitness((score,)))


def complete(count: int, scores: list[float]) -> list[int]:
    """The numbers of the members of a population that the last score completes."""
    population = InitialPopulation(count)
    for number, score in enumerate(scores[:-1]):
        assert population.add(candidate(number, score)) == ()
    return [member.genotype[0] for member in population.add(candidate(len(scores) - 1, scores[-1]))]


def test_the_members_are_the_first_feasible_candidates_in_order() -> None:
    assert complete(3, [0.1, -0.1, 0.9, -0.2, 0.0]) == [0, 2, 4]


def test_a_population_with_too_few_feasible_members_is_filled_up_by_smallest_excess() -> None:
    scores = [-1.0] * (3 * SAMPLES_PER_MEMBER)
    scores[5], scores[7], scores[40] = -0.2, 0.5, -0.1
    assert complete(3, scores) == [5, 7, 40]


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 random candidate, but got 0"):
        InitialPopulation(0)
