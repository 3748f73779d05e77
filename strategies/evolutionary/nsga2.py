"""NSGA-II: evolution towards a whole Pareto front."""

from collections.abc import Iterator

import numpy as np
from deap import tools

from nas.space import Choices, Genotype
from strategies.candidates.individual import Individual
from strategies.evolutionary.generations import Generations


class Nsga2(Generations):
    """Deb et al. 2002, on all components of the fitness: elitist selection by dominance, then by
    crowding distance.

    Proposals are random until `population` of them within the budget have been told. Each time as
    many more have, the parents are chosen anew out of the old ones and those; meanwhile children
    are bred from the parents there are, however many are asked for. Candidates over budget or
    failed are dominated by all others, and among each other the smaller excess wins.

    Raises:
        ValueError: if `population` is not a positive multiple of 4, which binary tournaments of
            pairs need.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator, population: int = 16) -> None:
        if population < 4 or population % 4:
            raise ValueError(f"population must be a positive multiple of 4, but got {population}")
        super().__init__(choices, rng, population)

    def _selected(self, candidates: list[Individual]) -> list[Individual]:
        selected: list[Individual] = tools.selNSGA2(candidates, self._size)
        return selected

    def _pairs(self) -> Iterator[tuple[Genotype, Genotype]]:
        pool: list[Individual] = tools.selTournamentDCD(self._parents, self._size)
        for mother, father in zip(pool[::2], pool[1::2], strict=True):
            yield mother.genotype, father.genotype
