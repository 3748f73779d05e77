"""Local search with restarts."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Proposal
from strategies.candidates.individual import DeapFitness, Individual
from strategies.candidates.initial_population import InitialPopulation
from strategies.candidates.proposed import Proposed
from strategies.candidates.variation import neighbors

NEIGHBORS_OF_INFEASIBLE = 10
"""How many neighbors of each infeasible neighbor are tried, of perhaps a hundred, because there are
many infeasible neighbors.
"""


class LocalSearch:
    """Local search (White et al. 2021): evaluates the neighbors of a center in random order, and
    moves to the first one that is better.

    Candidates are ranked by the first component of the fitness. If no neighbor of a feasible center
    is better, `NEIGHBORS_OF_INFEASIBLE` neighbors of each infeasible neighbor are tried as well: a
    trade-off at the limit of the budget takes two mutations, and the first one, over budget, is
    never trained. Then the search restarts. Known scores are reused, not proposed again. With
    several proposals outstanding, those beyond the last neighbor are random, and the next climb
    starts from the best of them.

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        starts: The number of feasible random candidates, at least 1, of which the best is the first
            center of a climb (`InitialPopulation`). The paper starts from a single one.

    Raises:
        ValueError: if `starts` is below 1.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator, starts: int = 8) -> None:
        self._choices = choices
        self._rng = rng
        self._proposed = Proposed(choices, redraws=100)
        self._scores: dict[Genotype, float] = {}
        self._starts = starts
        self._initial = InitialPopulation(starts)
        self._center: Genotype | None = None
        self._neighborhood: Iterator[Genotype] = iter(())
        self._pending: set[Genotype] = set()
        self._random_candidates: list[Genotype] = []

    def ask(self) -> Proposal:
        """A neighbor of the present center, or a random genotype."""
        while self._center is not None:
            for genotype in self._neighborhood:
                score = self._scores.get(genotype)
                if score is None:
                    self._pending.add(genotype)
                    if genotype not in self._proposed:
                        self._proposed.add(genotype)
                        return Proposal(genotype)
                elif score > self._scores[self._center]:
                    self._move(genotype)
                    break
            else:
                if self._pending:
                    break
                self._restart()
        return Proposal(self._proposed.draw_new(lambda: self._choices.sample(self._rng)))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Moves to the candidate if it is better than the center."""
        genotype = proposal.genotype
        is_neighbor = genotype in self._pending
        self._pending.discard(genotype)
        self._scores[genotype] = fitness[0]
        if self._center is None:
            self._start(Individual(genotype, DeapFitness(fitness)))
        elif fitness[0] > self._scores[self._center]:
            self._move(genotype)
        elif not is_neighbor:
            self._random_candidates.append(genotype)

    def _start(self, candidate: Individual) -> None:
        if population := self._initial.add(candidate):
            self._move(max(population, key=lambda member: member.score).genotype)

    def _move(self, genotype: Genotype) -> None:
        self._center, self._neighborhood = genotype, self._around(genotype)

    def _around(self, center: Genotype) -> Iterator[Genotype]:
        """The neighbors, then some neighbors of those that turned out to be infeasible."""
        direct = []
        for genotype in neighbors(self._choices, center, self._rng):
            direct.append(genotype)
            yield genotype
        for genotype in direct:
            if self._scores.get(genotype, 0.0) < 0 <= self._scores[center]:
                yield from islice(
                    neighbors(self._choices, genotype, self._rng), NEIGHBORS_OF_INFEASIBLE
                )

    def _restart(self) -> None:
        self._center, self._initial = None, InitialPopulation(self._starts)
        if self._random_candidates:
            start = max(self._random_candidates, key=self._scores.__getitem__)
            self._random_candidates.clear()
            self._move(start)
