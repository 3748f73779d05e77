"""NSGA-III: many-objective evolution along reference directions."""

from collections.abc import Iterator
from math import comb

import numpy as np
from deap import tools
from numpy.typing import NDArray

from nas.space import Choices, Genotype
from strategies.candidates.individual import Individual
from strategies.evolutionary.generational import GenerationalEvolution


class Nsga3(GenerationalEvolution):
    """NSGA-III (Deb & Jain 2014) on all components of the fitness: elitist selection by
    non-dominated rank, then by niches around reference directions.

    Generations are those of `GenerationalEvolution`. Infeasible candidates, over budget or failed,
    become parents only if there are too few feasible ones, in the order of their excess, and lose
    every tournament against a smaller excess (Jain & Deb 2014).

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        population: The number of parents and of results per generation, even and at least 4. There
            are as many reference directions as can be spread evenly without exceeding it.

    Raises:
        ValueError: if `population` is below 4 or odd.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator, population: int = 16) -> None:
        if population < 4 or population % 2:
            raise ValueError(f"population must be even and at least 4, but got {population}")
        super().__init__(choices, rng, population)

    def _select(self, candidates: list[Individual]) -> list[Individual]:
        feasible = [individual for individual in candidates if individual.feasible]
        if len(feasible) <= self._size:
            infeasible = [individual for individual in candidates if not individual.feasible]
            by_excess = sorted(infeasible, key=lambda individual: -individual.score)
            return feasible + by_excess[: self._size - len(feasible)]
        directions = reference_directions(len(feasible[0].fitness.values), self._size)
        with self._deap_rng:
            selected: list[Individual] = tools.selNSGA3(
                feasible, self._size, directions, nd="standard"
            )
        return selected

    def _mating_pairs(self) -> Iterator[tuple[Genotype, Genotype]]:
        for _ in range(self._size // 2):
            yield self._tournament(), self._tournament()

    def _tournament(self) -> Genotype:
        first, second = self._rng.choice(self._size, 2, replace=False)
        one, two = self._parents[int(first)], self._parents[int(second)]
        return two.genotype if one.score < min(0.0, two.score) else one.genotype


def reference_directions(objectives: int, limit: int) -> NDArray[np.float64]:
    """The largest set of evenly spread directions [N, objectives] with N at most `limit` (Das &
    Dennis 1998); at least one direction per objective.
    """
    divisions = 1
    while objectives > 1 and comb(objectives + divisions, divisions + 1) <= limit:
        divisions += 1
    directions: NDArray[np.float64] = tools.uniform_reference_points(objectives, divisions)
    return directions
