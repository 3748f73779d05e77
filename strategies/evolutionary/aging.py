"""Aging evolution, also called regularized evolution."""

from collections import deque
from collections.abc import Callable

import numpy as np
from deap import tools

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Facts, Proposal
from strategies.candidates.balance import Balance
from strategies.candidates.individual import DeapFitness, Individual
from strategies.candidates.initial_population import InitialPopulation
from strategies.candidates.proposed import Proposed
from strategies.candidates.repair import Repair
from strategies.evolutionary.deap_rng import DeapRng


class AgingEvolution:
    """Aging evolution (Real et al. 2019): the winner of a tournament is mutated, and the child
    replaces the oldest member of the population.

    Candidates are ranked by the first component of the fitness. Proposals are random until the
    initial population is complete (`InitialPopulation`). An infeasible child, over budget or
    failed, enters only if the oldest member is infeasible too: so a tight budget cannot flush
    feasible members out, while a population without feasible members still reduces its excess. A
    child that does not enter is mutated again (`Repair`).

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        population: The number of members, at least 1. The paper's 100 is for searches of 20,000
            evaluations; the default is for a few hundred.
        sample: The size of a tournament, 1 to `population`, drawn with replacement. Larger values
            select more greedily.
        balanced: The share of mutations, 0 to 1, that go on until the candidate is close to the
            limit of its budget (`Balance`).
        immigrants: The share of children, 0 to 1, that are random designs in place of mutations
            (random immigrants, Grefenstette 1992): they leave a basin that ends low.

    Raises:
        ValueError: if `sample` is not within 1 to `population`, or `balanced` or `immigrants` not
            within 0 to 1.
    """

    def __init__(
        self,
        choices: Choices,
        rng: np.random.Generator,
        population: int = 16,
        sample: int = 8,
        balanced: float = 0.0,
        immigrants: float = 0.0,
    ) -> None:
        if not 0 <= immigrants <= 1:
            raise ValueError(f"immigrants must be within 0 … 1, but got {immigrants}")
        if not 1 <= sample <= population:
            raise ValueError(
                f"sample must be within 1 … population ({population}), but got {sample}"
            )
        self._choices = choices
        self._rng = rng
        self._sample = sample
        self._immigrants = immigrants
        self._deap_rng = DeapRng(rng)
        self._proposed = Proposed(choices, redraws=20)
        self._initial = InitialPopulation(population)
        self._repair = Repair(choices, rng, self._proposed)
        self._balance = Balance(choices, rng, balanced)
        self._population: deque[Individual] = deque()

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """Sets the function by which candidates are looked up, if mutations are balanced."""
        self._balance.inform(facts)

    def ask(self) -> Proposal:
        """A member of the initial population at first, then a repaired or new child."""
        sample = self._child if self._population else self._random
        return Proposal(self._repair.propose() or self._proposed.draw_new(sample))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Adds the child as the youngest member and removes the oldest, or repairs the child."""
        child = Individual(proposal.genotype, DeapFitness(fitness))
        if not self._population:
            self._population.extend(self._initial.add(child))
        elif self._population[0].feasible and not child.feasible:
            self._repair.add(child.genotype)
        else:
            self._population.popleft()
            self._population.append(child)

    def _random(self) -> Genotype:
        return self._choices.sample(self._rng)

    def _child(self) -> Genotype:
        # Without a share nothing is drawn: other children stay as they are.
        if self._immigrants and self._rng.random() < self._immigrants:
            return self._random()
        with self._deap_rng:
            parent: Individual = tools.selTournament(
                list(self._population), 1, self._sample, fit_attr="score"
            )[0]
        return self._balance.mutate(parent.genotype)
