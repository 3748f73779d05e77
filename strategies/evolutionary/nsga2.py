"""NSGA-II: multi-objective evolution by dominance and crowding distance."""

from collections.abc import Iterator

import numpy as np
from deap import tools

from nas.space import Choices, Genotype
from strategies.candidates.individual import Individual
from strategies.evolutionary.generational import GenerationalEvolution


class Nsga2(GenerationalEvolution):
    """NSGA-II (Deb et al. 2002) on all components of the fitness: elitist selection by
    non-dominated rank, then by crowding distance.

    Generations are those of `GenerationalEvolution`. Infeasible candidates, over budget or failed,
    are dominated by all feasible ones, and among themselves by those of smaller excess (constrained
    domination).

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        population: The number of parents and of results per generation, a positive multiple of 4,
            which DEAP's binary tournament of pairs requires.
        immigrants: The share of children, 0 to 1, that are random designs (random immigrants,
            Grefenstette 1992).

    Raises:
        ValueError: if `population` is not a positive multiple of 4, or `immigrants` not within 0 to 1.
    """

    def __init__(
        self,
        choices: Choices,
        rng: np.random.Generator,
        population: int = 16,
        immigrants: float = 0.0,
    ) -> None:
        if population < 4 or population % 4:
            raise ValueError(f"population must be a positive multiple of 4, but got {population}")
        super().__init__(choices, rng, population, immigrants)

    def _select(self, candidates: list[Individual]) -> list[Individual]:
        selected: list[Individual] = tools.selNSGA2(candidates, self._size)
        return selected

    def _mating_pairs(self) -> Iterator[tuple[Genotype, Genotype]]:
        pool: list[Individual] = tools.selTournamentDCD(self._parents, self._size)
        for first, second in zip(pool[::2], pool[1::2], strict=True):
            yield first.genotype, second.genotype
