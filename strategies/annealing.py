"""Simulated annealing: a walk that takes ever fewer steps downhill."""

import math
from bisect import insort

import numpy as np

from nas.objective import Fitness
from nas.search import Proposal
from nas.space import Choices, Genotype
from strategies.novelty import Unseen
from strategies.variation import mutated


class Annealing:
    """Kirkpatrick et al. 1983: a mutation that is worse by d is moved to with probability exp(-d / temperature).

    Candidates are ranked by the first component of the fitness. The temperature is the median of how much worse
    mutations were so far, times `cooling` for every sweep of as many results as there are choices with a second option.
    So the first sweep accepts about every third loss (Johnson et al. 1989 advise 0.4), whatever the scale of the
    fitness. From within the budget nothing over it is accepted. Where five mutations in a row were proposed before, two
    at once are tried from there on, and so on, until the walk moves.

    Raises:
        ValueError: if `cooling` is not within 0 to 1 (exclusive).
    """

    _REDRAWS = 20
    _TRIES = 5

    def __init__(self, choices: Choices, rng: np.random.Generator, cooling: float = 0.9) -> None:
        if not 0 < cooling < 1:
            raise ValueError(f"cooling must be above 0 and below 1, but got {cooling}")
        self._choices = choices
        self._rng = rng
        self._unseen = Unseen(choices, redraws=self._REDRAWS)
        self._factor = cooling ** (1 / max(1, sum(arity > 1 for arity in choices.arities)))
        self._told = 0
        self._losses: list[float] = []
        self._here: tuple[Genotype, float] | None = None
        self._radius = 1
        self._tries = 0

    def ask(self) -> Proposal:
        """A random genotype until one was told, then a mutation of where the walk is."""
        if self._here is None:
            return Proposal(self._unseen.draw(lambda: self._choices.sample(self._rng)))
        self._tries = 0
        return Proposal(self._unseen.draw(self._mutated))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Moves there, or stays."""
        score, before, self._told = fitness[0], self._here, self._told + 1
        if self._here is None or score >= self._here[1]:
            if self._here is not None and self._here[1] < 0 <= score:
                # By how much a budget is broken says nothing about the scale of what counts within it.
                self._losses.clear()
            self._here = proposal.genotype, score
        elif (score < 0) == (self._here[1] < 0):
            loss = self._here[1] - score
            insort(self._losses, loss)
            if float(self._rng.random()) < math.exp(-loss / self._temperature()):
                self._here = proposal.genotype, score
        if before is None or self._here is None or before[0] != self._here[0]:
            self._radius = 1

    def _temperature(self) -> float:
        median = self._losses[len(self._losses) // 2]
        return max(median * float(self._factor**self._told), 1e-12)

    def _mutated(self) -> Genotype:
        assert self._here is not None
        self._tries += 1
        if self._tries > self._TRIES:
            self._tries, self._radius = 1, self._radius + 1
        genotype = self._here[0]
        for _ in range(self._radius):
            genotype = mutated(self._choices, genotype, self._rng)
        return genotype
