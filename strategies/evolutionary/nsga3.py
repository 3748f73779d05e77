"""NSGA-III: evolution towards a whole Pareto front of many objectives."""

from collections.abc import Iterator
from math import comb

import numpy as np
from deap import tools
from numpy.typing import NDArray

from nas.space import Choices, Genotype
from strategies.candidates.individual import Individual
from strategies.evolutionary.generations import Generations


class Nsga3(Generations):
    """Deb & Jain 2014, on all components of the fitness: elitist selection by dominance, then along
    reference directions.

    There are as many directions as can be spread evenly without being more than `population`.
    Generations follow one another as in `Nsga2`. Candidates over budget or failed are parents only
    where there are too few others, those of the smallest excess first, and lose every tournament
    (Jain & Deb 2014).

    Raises:
        ValueError: if `population` is below 4 or odd.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator, population: int = 16) -> None:
        if population < 4 or population % 2:
            raise ValueError(f"population must be even and at least 4, but got {population}")
        super().__init__(choices, rng, population)

    def _selected(self, candidates: list[Individual]) -> list[Individual]:
        within = [individual for individual in candidates if individual.score >= 0]
        if len(within) <= self._size:
            over = [individual for individual in candidates if individual.score < 0]
            return (
                within
                + sorted(over, key=lambda individual: -individual.score)[: self._size - len(within)]
            )
        directions = reference_directions(len(within[0].fitness.values), self._size)
        with self._stream:
            selected: list[Individual] = tools.selNSGA3(
                within, self._size, directions, nd="standard"
            )
        return selected

    def _pairs(self) -> Iterator[tuple[Genotype, Genotype]]:
        for _ in range(self._size // 2):
            yield self._parent(), self._parent()

    def _parent(self) -> Genotype:
        first, second = self._rng.choice(self._size, 2, replace=False)
        one, two = self._parents[int(first)], self._parents[int(second)]
        return two.genotype if one.score < min(0.0, two.score) else one.genotype


def reference_directions(objectives: int, most: int) -> NDArray[np.float64]:
    """As many evenly spread directions [N, objectives] as there are with N at most `most`, at least
    one an objective.
    """
    divisions = 1
    while objectives > 1 and comb(objectives + divisions, divisions + 1) <= most:
        divisions += 1
    directions: NDArray[np.float64] = tools.uniform_reference_points(objectives, divisions)
    return directions
