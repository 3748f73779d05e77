"""Local search: climb to a neighbor that is better, and start elsewhere where none is."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Proposal
from strategies.candidates.individual import DeapFitness, Individual
from strategies.candidates.initial_population import InitialPopulation
from strategies.candidates.unseen import Unseen
from strategies.candidates.variation import neighbors

BEHIND = 10
"""How many neighbors of a neighbor over budget are tried, of perhaps a hundred: a space has many
such neighbors.
"""


class LocalSearch:
    """White et al. 2021: from a random genotype, its neighbors in random order until one is better,
    and on from there.

    Candidates are ranked by the first component of the fitness, and a climb starts from the best of
    `starts` random ones within the budget (`InitialPopulation`). Where no neighbor is better, those
    over budget are looked behind, at `BEHIND` of their own neighbors each: to give in one place and
    take in another needs two steps, and the first of them is never trained. Then the next climb
    starts. What is known is never proposed again but remembered. With several proposals
    outstanding, those that find all neighbors asked for already are random, and the best of them
    starts the next climb.

    Raises:
        ValueError: if `starts` is below 1.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator, starts: int = 8) -> None:
        self._choices = choices
        self._rng = rng
        self._unseen = Unseen(choices, redraws=100)
        self._scores: dict[Genotype, float] = {}
        self._starts = starts
        self._initial = InitialPopulation(starts)
        self._center: Genotype | None = None
        self._around: Iterator[Genotype] = iter(())
        self._awaited: set[Genotype] = set()
        self._spare: list[Genotype] = []

    def ask(self) -> Proposal:
        """A neighbor of the best of this climb, or a random genotype."""
        while self._center is not None:
            for genotype in self._around:
                score = self._scores.get(genotype)
                if score is None:
                    self._awaited.add(genotype)
                    if genotype not in self._unseen:
                        self._unseen.add(genotype)
                        return Proposal(genotype)
                elif score > self._scores[self._center]:
                    self._move(genotype)
                    break
            else:
                if self._awaited:
                    break
                self._restart()
        return Proposal(self._unseen.draw(lambda: self._choices.sample(self._rng)))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """A better one is where the climb goes on from."""
        genotype = proposal.genotype
        neighbor = genotype in self._awaited
        self._awaited.discard(genotype)
        self._scores[genotype] = fitness[0]
        if self._center is None:
            self._start(Individual(genotype, DeapFitness(fitness)))
        elif fitness[0] > self._scores[self._center]:
            self._move(genotype)
        elif not neighbor:
            self._spare.append(genotype)

    def _start(self, candidate: Individual) -> None:
        if founders := self._initial.joined_by(candidate):
            self._move(max(founders, key=lambda founder: founder.score).genotype)

    def _move(self, genotype: Genotype) -> None:
        self._center, self._around = genotype, self._neighborhood(genotype)

    def _neighborhood(self, center: Genotype) -> Iterator[Genotype]:
        """The neighbors, then what lies behind those over budget, as far as they were told by then."""
        ring = []
        for genotype in neighbors(self._choices, center, self._rng):
            ring.append(genotype)
            yield genotype
        for genotype in ring:
            if self._scores.get(genotype, 0.0) < 0 <= self._scores[center]:
                yield from islice(neighbors(self._choices, genotype, self._rng), BEHIND)

    def _restart(self) -> None:
        self._center, self._initial = None, InitialPopulation(self._starts)
        if self._spare:
            start = max(self._spare, key=self._scores.__getitem__)
            self._spare.clear()
            self._move(start)
