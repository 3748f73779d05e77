"""NSGA-II: evolution towards a whole Pareto front."""

from itertools import cycle, islice

import numpy as np
from deap import tools

from nas.objective import Fitness
from nas.search import Proposal
from nas.space import Choices, Genotype
from strategies.deap_stream import DeapStream
from strategies.individual import Individual, Values
from strategies.novelty import Unseen
from strategies.variation import offspring


class Nsga2:
    """Deb et al. 2002, on all components of the fitness: elitist selection by dominance, then by crowding distance.

    Proposals are random until `population` of them have been told. Each time as many more have, the parents are chosen
    anew out of the old ones and those; meanwhile children are bred from the parents there are, however many are asked
    for. Candidates over budget or failed are dominated by all others, and among each other the smaller excess wins.

    Raises:
        ValueError: if `population` is not a positive multiple of 4, which binary tournaments of pairs need.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator, population: int = 16) -> None:
        if population < 4 or population % 4:
            raise ValueError(f"population must be a positive multiple of 4, but got {population}")
        self._choices = choices
        self._rng = rng
        self._size = population
        self._stream = DeapStream(rng)
        self._unseen = Unseen(choices, redraws=20)
        self._parents: list[Individual] = []
        self._told: list[Individual] = []
        self._children: list[Genotype] = []

    def ask(self) -> Proposal:
        """A random genotype at first, then a child of the present parents."""
        return Proposal(self._unseen.draw(self._child if self._parents else self._founder))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Every `population` results a new generation of parents is selected."""
        self._told.append(Individual(proposal.genotype, Values(fitness)))
        if len(self._told) == self._size:
            # A repeated proposal is one candidate: copies of it would push others out of the front.
            different = {individual.genotype: individual for individual in self._parents + self._told}
            selected: list[Individual] = tools.selNSGA2(list(different.values()), self._size)
            self._parents = list(islice(cycle(selected), self._size))
            self._told = []
            self._children = []

    def _founder(self) -> Genotype:
        return self._choices.sample(self._rng)

    def _child(self) -> Genotype:
        if not self._children:
            with self._stream:
                pool: list[Individual] = tools.selTournamentDCD(self._parents, self._size)
                for mother, father in zip(pool[::2], pool[1::2], strict=True):
                    self._children += offspring(self._choices, mother.genotype, father.genotype, self._rng)
        return self._children.pop()
