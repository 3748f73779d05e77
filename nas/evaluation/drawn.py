"""Designs drawn at random within a budget."""

from bisect import bisect_left
from collections.abc import Callable
from functools import cache
from math import inf, isfinite

import numpy as np

from nas.evaluation.reach import Lookup, smallest_by
from nas.objective import Budget
from nas.space import Choices, Genotype


def drawn_within(
    choices: Choices, facts: Lookup, budget: Budget, rng: np.random.Generator, count: int
) -> tuple[Genotype, ...]:
    """Up to `count` different designs within the budget, most of them near its limits.

    Each is a random one in which as few choices as it takes, in a random order, have the option of the
    smallest design that is found, brought near where constraints allow no such mixture. If the smallest
    is over the budget, it is the only one.

    Args:
        choices: of the space
        facts: looks up costs, some seven times for each design
        budget: limits of costs; those that are not known before training limit nothing
        rng: the source of all randomness
        count: how many are drawn, of which some may be the same

    Raises:
        ValueError: if no design can be built.
    """

    @cache
    def used(genotype: Genotype) -> float:
        """The largest share of a limit."""
        costs = facts(genotype).costs
        shares = [costs[name] / limit for name, limit in budget.limits.items() if name in costs]
        return max(shares, default=0.0) if costs else inf

    smallest = smallest_by(choices, used)
    if not isfinite(used(smallest)):
        raise ValueError("a space must have designs that can be built, but none was found")
    return tuple(dict.fromkeys(_drawn(choices, smallest, used, rng) for _ in range(count)))


def _drawn(
    choices: Choices,
    smallest: Genotype,
    used: Callable[[Genotype], float],
    rng: np.random.Generator,
) -> Genotype:
    random, order = rng.integers(choices.arities).tolist(), rng.permutation(len(choices)).tolist()

    def with_smallest(number: int) -> Genotype:
        kept = set(order[number:])
        return choices.nearest(
            [random[index] if index in kept else gene for index, gene in enumerate(smallest)]
        )

    fewest = bisect_left(range(len(choices)), True, key=lambda n: used(with_smallest(n)) <= 1)
    return with_smallest(fewest)
