"""Simulated annealing."""

import math
from bisect import insort
from collections.abc import Callable

import numpy as np

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Facts, Proposal
from strategies.candidates.balance import Balance
from strategies.candidates.individual import DeapFitness, Individual
from strategies.candidates.initial_population import InitialPopulation
from strategies.candidates.proposed import Proposed
from strategies.candidates.repair import Repair


class Annealing:
    """Simulated annealing (Kirkpatrick et al. 1983): a mutation that is worse by d is accepted with
    probability exp(-d / temperature).

    Candidates are ranked by the first component of the fitness. The temperature is the median loss
    of all worse mutations so far, times `cooling` per sweep, which is one result per choice with a
    second option. So the first sweep accepts about a third of the losses, whatever the scale of the
    fitness (Johnson et al. 1989 recommend 0.4). A feasible state is never left for an infeasible
    one, over budget or failed, which is mutated again instead (`Repair`). After 20 mutations in a
    row that were all proposed before, the chain restarts at its initial temperature.

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        cooling: The factor of the temperature per sweep, above 0 and below 1; 0.8 to 0.99 are usual
            (van Laarhoven & Aarts 1987). The default is fast because a frozen chain restarts.
        starts: The number of feasible random candidates, at least 1, of which the best is the first
            state of a chain (`InitialPopulation`).
        balanced: The share of mutations, 0 to 1, that go on until the candidate is close to the
            limit of its budget (`Balance`).

    Raises:
        ValueError: if `cooling` is not above 0 and below 1, `starts` is below 1, or `balanced` not
            within 0 to 1.
    """

    _REDRAWS = 20

    def __init__(
        self,
        choices: Choices,
        rng: np.random.Generator,
        cooling: float = 0.8,
        starts: int = 8,
        balanced: float = 0.0,
    ) -> None:
        if not 0 < cooling < 1:
            raise ValueError(f"cooling must be above 0 and below 1, but got {cooling}")
        self._choices = choices
        self._rng = rng
        self._proposed = Proposed(choices, redraws=self._REDRAWS)
        self._repair = Repair(choices, rng, self._proposed)
        self._balance = Balance(choices, rng, balanced)
        self._cooling_per_result = cooling ** (
            1 / max(1, sum(arity > 1 for arity in choices.arities))
        )
        self._losses: list[float] = []
        self._starts = starts
        self._state: tuple[Genotype, float] | None
        self._restart()

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """Sets the function by which candidates are looked up, if mutations are balanced."""
        self._balance.inform(facts)

    def ask(self) -> Proposal:
        """A mutation of the present state, or a random genotype before there is one."""
        if self._state is not None:
            if (repaired := self._repair.propose()) is not None:
                return Proposal(repaired)
            for _ in range(self._REDRAWS):
                genotype = self._balance.mutate(self._state[0])
                if genotype not in self._proposed:
                    self._proposed.add(genotype)
                    return Proposal(genotype)
            self._restart()
        return Proposal(self._proposed.draw_new(lambda: self._choices.sample(self._rng)))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Accepts or rejects the candidate as the next state."""
        genotype, score = proposal.genotype, fitness[0]
        if self._state is None:
            self._start(Individual(genotype, DeapFitness(fitness)))
        elif score < 0 <= self._state[1]:
            self._repair.add(genotype)
        elif self._accepts(score, self._state[1]):
            self._state = genotype, score

    def _accepts(self, score: float, present: float) -> bool:
        self._results += 1
        if score >= present:
            if present < 0 <= score:
                # Differences in excess say nothing about the scale of feasible scores.
                self._losses.clear()
            return True
        insort(self._losses, present - score)
        return float(self._rng.random()) < math.exp((score - present) / self._temperature())

    def _temperature(self) -> float:
        median = self._losses[len(self._losses) // 2]
        return max(median * float(self._cooling_per_result**self._results), 1e-12)

    def _restart(self) -> None:
        self._initial = InitialPopulation(self._starts)
        self._state = None
        self._results = 0

    def _start(self, candidate: Individual) -> None:
        if population := self._initial.add(candidate):
            best = max(population, key=lambda member: member.score)
            self._state = best.genotype, best.score
