"""Generational evolution, without the selection in which NSGA-II and NSGA-III differ."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import cycle, islice

import numpy as np

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Proposal
from strategies.candidates.individual import DeapFitness, Individual
from strategies.candidates.initial_population import InitialPopulation
from strategies.candidates.proposed import Proposed
from strategies.candidates.repair import Repair
from strategies.candidates.variation import offspring
from strategies.evolutionary.deap_rng import DeapRng


class GenerationalEvolution(ABC):
    """Elitist evolution in generations of `population` results.

    Proposals are random until the initial population is complete (`InitialPopulation`). After
    every `population` further results the next parents are selected out of the present ones and
    those results. Children are bred from the present parents, as many as are asked for. While all
    parents are feasible, an infeasible child is mutated again (`Repair`).

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        population: The number of parents, and of results per generation.
        immigrants: The share of children, 0 to 1, that are random designs.

    Raises:
        ValueError: if `immigrants` is not within 0 to 1.
    """

    def __init__(
        self,
        choices: Choices,
        rng: np.random.Generator,
        population: int,
        immigrants: float = 0.0,
    ) -> None:
        if not 0 <= immigrants <= 1:
            raise ValueError(f"immigrants must be within 0 … 1, but got {immigrants}")
        self._immigrants = immigrants
        self._choices = choices
        self._rng = rng
        self._size = population
        self._deap_rng = DeapRng(rng)
        self._proposed = Proposed(choices, redraws=20)
        self._initial = InitialPopulation(population)
        self._repair = Repair(choices, rng, self._proposed)
        self._parents: list[Individual] = []
        self._results: list[Individual] = []
        self._children: list[Genotype] = []

    @abstractmethod
    def _select(self, candidates: list[Individual]) -> list[Individual]:
        """The next parents, at most `population` of the candidates, which are all different."""

    @abstractmethod
    def _mating_pairs(self) -> Iterator[tuple[Genotype, Genotype]]:
        """`population` / 2 pairs of parents; called within a `DeapRng` block."""

    def ask(self) -> Proposal:
        """A member of the initial population at first, then a repaired or new child."""
        sample = self._child if self._parents else self._random
        return Proposal(self._repair.propose() or self._proposed.draw_new(sample))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Records a result; the last one of a generation selects the next parents."""
        candidate = Individual(proposal.genotype, DeapFitness(fitness))
        self._results += [candidate] if self._parents else self._initial.add(candidate)
        if (
            self._parents
            and not candidate.feasible
            and all(parent.feasible for parent in self._parents)
        ):
            self._repair.add(candidate.genotype)
        if len(self._results) == self._size:
            # Copies of a repeated proposal would push other candidates out of the front.
            distinct = {
                individual.genotype: individual for individual in self._parents + self._results
            }
            self._parents = list(islice(cycle(self._select(list(distinct.values()))), self._size))
            self._results = []
            self._children = []

    def _random(self) -> Genotype:
        return self._choices.sample(self._rng)

    def _child(self) -> Genotype:
        # Without a share nothing is drawn: other children stay as they are.
        if self._immigrants and self._rng.random() < self._immigrants:
            return self._random()
        if not self._children:
            with self._deap_rng:
                for first, second in self._mating_pairs():
                    self._children += offspring(self._choices, first, second, self._rng)
        return self._children.pop()
