"""Regularized evolution: tournaments among the young, and nobody lives for ever."""

from collections import deque

import numpy as np
from deap import tools

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Proposal
from strategies.candidates.individual import DeapFitness, Individual
from strategies.candidates.initial_population import InitialPopulation
from strategies.candidates.repair import Repair
from strategies.candidates.unseen import Unseen
from strategies.candidates.variation import mutated
from strategies.evolutionary.deap_stream import DeapStream


class AgingEvolution:
    """Real et al. 2019: the best of a random sample has a child with one mutation, and the oldest
    member dies for it.

    Candidates are ranked by the first component of the fitness. Proposals are random until the
    `InitialPopulation` are told, as many as the `population`. A child over budget or failed (below
    0) enters only where the oldest member is so too: a tight budget cannot flush out the members
    that meet it, while among members that all break it, breaking it less still wins. One that does
    not enter is mutated again (`Repair`).

    Raises:
        ValueError: if `sample` is not within 1 to `population`.
    """

    def __init__(
        self, choices: Choices, rng: np.random.Generator, population: int = 16, sample: int = 8
    ) -> None:
        if not 1 <= sample <= population:
            raise ValueError(
                f"sample must be within 1 … population ({population}), but got {sample}"
            )
        self._choices = choices
        self._rng = rng
        self._sample = sample
        self._stream = DeapStream(rng)
        self._unseen = Unseen(choices, redraws=20)
        self._initial = InitialPopulation(population)
        self._repair = Repair(choices, rng, self._unseen)
        self._living: deque[Individual] = deque()

    def ask(self) -> Proposal:
        """A random genotype at first, then a child."""
        return Proposal(
            self._repair.step() or self._unseen.draw(self._child if self._living else self._founder)
        )

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """The child joins as the youngest, and the oldest dies."""
        child = Individual(proposal.genotype, DeapFitness(fitness))
        if not self._living:
            self._living.extend(self._initial.joined_by(child))
        elif child.score < 0 <= self._living[0].score:
            self._repair.broken_by(child.genotype)
        else:
            self._living.popleft()
            self._living.append(child)

    def _founder(self) -> Genotype:
        return self._choices.sample(self._rng)

    def _child(self) -> Genotype:
        with self._stream:
            parent: Individual = tools.selTournament(
                list(self._living), 1, self._sample, fit_attr="score"
            )[0]
        return mutated(self._choices, parent.genotype, self._rng)
