"""Simulated annealing: a walk that takes ever fewer steps downhill."""

import math
from bisect import insort

import numpy as np

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Proposal
from strategies.candidates.individual import DeapFitness, Individual
from strategies.candidates.initial_population import InitialPopulation
from strategies.candidates.repair import Repair
from strategies.candidates.unseen import Unseen
from strategies.candidates.variation import mutated


class Annealing:
    """Kirkpatrick et al. 1983: a mutation that is worse by d is moved to with probability exp(-d /
    temperature).

    Candidates are ranked by the first component of the fitness. The temperature is the median of
    how much worse mutations were so far, times `cooling` for every sweep of as many results as
    there are choices with a second option. So the first sweep accepts about every third loss
    (Johnson et al. 1989 advise 0.4), whatever the scale of the fitness. From within the budget
    nothing over it is accepted, but mutated again (`Repair`). Where 20 mutations in a row were
    proposed before, the walk is frozen, and another one starts hot; so `cooling` may be quick (0.8
    to 0.99 are usual, van Laarhoven & Aarts 1987). A walk starts at the best of `starts` random
    candidates within the budget (`InitialPopulation`).

    Raises:
        ValueError: if `cooling` is not within 0 to 1 (exclusive) or `starts` is below 1.
    """

    _REDRAWS = 20

    def __init__(
        self, choices: Choices, rng: np.random.Generator, cooling: float = 0.8, starts: int = 8
    ) -> None:
        if not 0 < cooling < 1:
            raise ValueError(f"cooling must be above 0 and below 1, but got {cooling}")
        self._choices = choices
        self._rng = rng
        self._unseen = Unseen(choices, redraws=self._REDRAWS)
        self._repair = Repair(choices, rng, self._unseen)
        self._factor = cooling ** (1 / max(1, sum(arity > 1 for arity in choices.arities)))
        self._losses: list[float] = []
        self._starts = starts
        self._here: tuple[Genotype, float] | None
        self._restart()

    def ask(self) -> Proposal:
        """A mutation of where the walk is, or a random genotype where there is no walk."""
        if self._here is not None:
            if (detour := self._repair.step()) is not None:
                return Proposal(detour)
            for _ in range(self._REDRAWS):
                genotype = mutated(self._choices, self._here[0], self._rng)
                if genotype not in self._unseen:
                    self._unseen.add(genotype)
                    return Proposal(genotype)
            self._restart()
        return Proposal(self._unseen.draw(lambda: self._choices.sample(self._rng)))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """The walk moves there, or stays."""
        genotype, score = proposal.genotype, fitness[0]
        if self._here is None:
            self._start(Individual(genotype, DeapFitness(fitness)))
        elif score < 0 <= self._here[1]:
            self._repair.broken_by(genotype)
        elif self._accepts(score, self._here[1]):
            self._here = genotype, score

    def _accepts(self, score: float, present: float) -> bool:
        self._told += 1
        if score >= present:
            if present < 0 <= score:
                # By how much a budget is broken says nothing about the scale of what counts within
                # it.
                self._losses.clear()
            return True
        insort(self._losses, present - score)
        return float(self._rng.random()) < math.exp((score - present) / self._temperature())

    def _temperature(self) -> float:
        median = self._losses[len(self._losses) // 2]
        return max(median * float(self._factor**self._told), 1e-12)

    def _restart(self) -> None:
        self._initial = InitialPopulation(self._starts)
        self._here = None
        self._told = 0

    def _start(self, candidate: Individual) -> None:
        if founders := self._initial.joined_by(candidate):
            best = max(founders, key=lambda founder: founder.score)
            self._here = best.genotype, best.score
