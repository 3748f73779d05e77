"""Mutations at about the same costs: what one saves, others spend."""

from collections.abc import Callable

import numpy as np

from nas.space import Choices, Genotype
from nas.strategy import Facts
from strategies.candidates.variation import mutate

TRIES = 10
"""How many further mutations are looked up, of which those that bring a candidate closer to the
limit of its budget are kept.
"""


class Balance:
    """Mutates candidates, a `share` of them so that they end close to the limit of their budget.

    After any mutation, further ones of other choices are kept if they lower the excess of a
    candidate over budget, or make one within it dearer that stays within: no cost lower, and one
    higher. So fewer bits in one layer become more elsewhere in a single step. Nothing is trained on
    the way, but `TRIES` costs are looked up; `Repair` needs none, and spends nothing that is left.

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        share: The share of mutations, 0 to 1, that are balanced once there are facts.

    Raises:
        ValueError: if `share` is not within 0 to 1.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator, share: float) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"balanced must be within 0 … 1, but got {share}")
        self._choices = choices
        self._rng = rng
        self._share = share
        self._facts: Callable[[Genotype], Facts] | None = None

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """Sets the function by which candidates are looked up."""
        self._facts = facts

    def mutate(self, genotype: Genotype) -> Genotype:
        """A mutation of a candidate, balanced or not."""
        child = mutate(self._choices, genotype, self._rng)
        # Without a share nothing is drawn: other mutations stay as they are.
        if self._facts is None or not self._share or self._rng.random() >= self._share:
            return child
        return self._balanced(genotype, child, self._facts)

    def _balanced(
        self, parent: Genotype, child: Genotype, facts: Callable[[Genotype], Facts]
    ) -> Genotype:
        first = [index for index, gene in enumerate(child) if gene != parent[index]]
        known = facts(child)
        for _ in range(TRIES):
            other = mutate(self._choices, child, self._rng)
            if any(other[index] != child[index] for index in first):
                continue  # it would take the first mutation back
            found = facts(other)
            if found.excess < known.excess or _dearer(found, known):
                child, known = other, found
        return child


def _dearer(one: Facts, other: Facts) -> bool:
    """Whether a candidate within the budget costs more than another one, and nowhere less."""
    return (
        one.excess == 0
        and one.costs != other.costs
        and all(one.costs[name] >= cost for name, cost in other.costs.items())
    )
