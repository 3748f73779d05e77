"""Local search: climb to a neighbour that is better, and start elsewhere where none is."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from nas.objective import Fitness
from nas.search import Proposal
from nas.space import Choices, Genotype
from strategies.founders import Founders
from strategies.individual import Individual, Values
from strategies.novelty import Unseen
from strategies.variation import neighbours

BEHIND = 10
"""How many neighbours of a neighbour over budget are tried, of perhaps a hundred: a space has many such neighbours."""


class LocalSearch:
    """White et al. 2021: from a random genotype, its neighbours in random order until one is better, and on from there.

    Candidates are ranked by the first component of the fitness, and a climb starts from the best of `starts` random ones
    within the budget (`Founders`).
    Where no neighbour is better, those over budget are looked behind, at `BEHIND` of their own neighbours each: to give in one
    place and take in another needs two steps, and the first of them is never trained. Then the next climb starts. What is
    known is never proposed again but remembered. With several proposals outstanding, those that find all neighbours
    asked for already are random, and the best of them starts the next climb.

    Raises:
        ValueError: if `starts` is below 1.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator, starts: int = 8) -> None:
        self._choices = choices
        self._rng = rng
        self._unseen = Unseen(choices, redraws=100)
        self._scores: dict[Genotype, float] = {}
        self._starts = starts
        self._founders = Founders(starts)
        self._centre: Genotype | None = None
        self._around: Iterator[Genotype] = iter(())
        self._awaited: set[Genotype] = set()
        self._spare: list[Genotype] = []

    def ask(self) -> Proposal:
        """A neighbour of the best of this climb, or a random genotype."""
        while self._centre is not None:
            for genotype in self._around:
                score = self._scores.get(genotype)
                if score is None:
                    self._awaited.add(genotype)
                    if genotype not in self._unseen:
                        self._unseen.add(genotype)
                        return Proposal(genotype)
                elif score > self._scores[self._centre]:
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
        neighbour = genotype in self._awaited
        self._awaited.discard(genotype)
        self._scores[genotype] = fitness[0]
        if self._centre is None:
            self._start(Individual(genotype, Values(fitness)))
        elif fitness[0] > self._scores[self._centre]:
            self._move(genotype)
        elif not neighbour:
            self._spare.append(genotype)

    def _start(self, candidate: Individual) -> None:
        if founders := self._founders.joined_by(candidate):
            self._move(max(founders, key=lambda founder: founder.score).genotype)

    def _move(self, genotype: Genotype) -> None:
        self._centre, self._around = genotype, self._neighbourhood(genotype)

    def _neighbourhood(self, centre: Genotype) -> Iterator[Genotype]:
        """The neighbours, then what lies behind those over budget, as far as they were told by then."""
        ring = []
        for genotype in neighbours(self._choices, centre, self._rng):
            ring.append(genotype)
            yield genotype
        for genotype in ring:
            if self._scores.get(genotype, 0.0) < 0 <= self._scores[centre]:
                yield from islice(neighbours(self._choices, genotype, self._rng), BEHIND)

    def _restart(self) -> None:
        self._centre, self._founders = None, Founders(self._starts)
        if self._spare:
            start = max(self._spare, key=self._scores.__getitem__)
            self._spare.clear()
            self._move(start)
