"""Repair of infeasible offspring by further mutations."""

import numpy as np

from nas.space import Choices, Genotype
from strategies.candidates.proposed import Proposed
from strategies.candidates.variation import mutate

MAX_MUTATIONS = 4
"""The longest chain of mutations from a feasible parent, the first one included."""


class Repair:
    """Mutates infeasible offspring again, because a trade-off at the limit of the budget, such as
    fewer bits for more width, takes two mutations.

    Candidates over budget are not trained, so a chain of up to `MAX_MUTATIONS` mutations costs no
    more than its last candidate.

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        proposed: The genotypes proposed so far, shared with the strategy.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator, proposed: Proposed) -> None:
        self._choices = choices
        self._rng = rng
        self._proposed = proposed
        self._chain_lengths: dict[Genotype, int] = {}
        self._infeasible: list[Genotype] = []

    def add(self, genotype: Genotype) -> None:
        """Schedules an infeasible offspring for repair unless its chain is at maximum length."""
        if self._chain_lengths.get(genotype, 1) < MAX_MUTATIONS:
            self._infeasible.append(genotype)

    def propose(self) -> Genotype | None:
        """A mutation of the latest scheduled offspring, or None if none is scheduled."""
        if not self._infeasible:
            return None
        parent = self._infeasible.pop()
        genotype = self._proposed.draw_new(lambda: mutate(self._choices, parent, self._rng))
        self._chain_lengths[genotype] = self._chain_lengths.get(parent, 1) + 1
        return genotype
