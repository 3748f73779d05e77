"""What evolution in generations has in common, whoever selects the parents."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import cycle, islice

import numpy as np

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Proposal
from strategies.candidates.individual import DeapFitness, Individual
from strategies.candidates.initial_population import InitialPopulation
from strategies.candidates.repair import Repair
from strategies.candidates.unseen import Unseen
from strategies.candidates.variation import offspring
from strategies.evolutionary.deap_stream import DeapStream


class Generations(ABC):
    """Proposals are random until the `InitialPopulation` are told, as many as the `population`.
    Each time as many more are, the parents are chosen anew out of the old ones and those; meanwhile
    children are bred from the parents there are, however many are asked for. A child over budget or
    failed, while no parent is, is mutated again (`Repair`).
    """

    def __init__(self, choices: Choices, rng: np.random.Generator, population: int) -> None:
        self._choices = choices
        self._rng = rng
        self._size = population
        self._stream = DeapStream(rng)
        self._unseen = Unseen(choices, redraws=20)
        self._initial = InitialPopulation(population)
        self._repair = Repair(choices, rng, self._unseen)
        self._parents: list[Individual] = []
        self._told: list[Individual] = []
        self._children: list[Genotype] = []

    @abstractmethod
    def _selected(self, candidates: list[Individual]) -> list[Individual]:
        """At most `population` of different candidates, to be the parents."""

    @abstractmethod
    def _pairs(self) -> Iterator[tuple[Genotype, Genotype]]:
        """Half a population of pairs of parents; within a `DeapStream` block."""

    def ask(self) -> Proposal:
        """A random genotype at first, then a child of the present parents."""
        return Proposal(
            self._repair.step()
            or self._unseen.draw(self._child if self._parents else self._founder)
        )

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Every `population` results a new generation of parents is selected."""
        candidate = Individual(proposal.genotype, DeapFitness(fitness))
        self._told += [candidate] if self._parents else self._initial.joined_by(candidate)
        if self._parents and candidate.score < 0 <= min(parent.score for parent in self._parents):
            self._repair.broken_by(candidate.genotype)
        if len(self._told) == self._size:
            # A repeated proposal is one candidate: copies of it would push others out of the front.
            different = {
                individual.genotype: individual for individual in self._parents + self._told
            }
            self._parents = list(
                islice(cycle(self._selected(list(different.values()))), self._size)
            )
            self._told = []
            self._children = []

    def _founder(self) -> Genotype:
        return self._choices.sample(self._rng)

    def _child(self) -> Genotype:
        if not self._children:
            with self._stream:
                for mother, father in self._pairs():
                    self._children += offspring(self._choices, mother, father, self._rng)
        return self._children.pop()
