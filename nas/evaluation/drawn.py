"""Designs drawn at random within a budget."""

from math import isfinite

import numpy as np

from nas.evaluation.reach import Lookup
from nas.space import Choices, Genotype

DESIGNS = 8
"""How many designs one walk gives: the others begin elsewhere, because a walk stays near its beginning."""
CHANGES = 6
"""How many changes are tried between two of them."""
FIRST_CHANGES = 200
"""How many are tried, at most, until a walk is within the budget."""


def drawn_within(
    choices: Choices, facts: Lookup, rng: np.random.Generator, count: int
) -> tuple[Genotype, ...]:
    """Up to `count` different designs, from random walks: a step changes one choice, and is taken unless
    the design is then farther over the budget, by `facts`.

    So a walk gets to the limits first and then stays within them (Metropolis et al., 1953), mostly near
    them, where most designs are. One that does not get there gives those that are closest.

    Raises:
        ValueError: if no design can be built.
    """
    found = list[Genotype]()
    for first in range(0, count, DESIGNS):
        found += _walk(choices, facts, rng, min(DESIGNS, count - first))
    if not found:
        raise ValueError(
            f"a space must have designs that can be built, but of {FIRST_CHANGES} none can"
        )
    return tuple(dict.fromkeys(found))


def _walk(choices: Choices, facts: Lookup, rng: np.random.Generator, count: int) -> list[Genotype]:
    """The designs of one walk, none if it finds nothing that can be built."""
    here = choices.sample(rng)
    excess, found = facts(here).excess, list[Genotype]()
    for change in range(FIRST_CHANGES + count * CHANGES):
        if len(found) == count:
            break
        arrived = excess == 0 or change >= FIRST_CHANGES
        if arrived and isfinite(excess) and change % CHANGES == 0:
            found.append(here)
        there = _changed(choices, here, rng)
        if (further := facts(there).excess) <= excess:
            here, excess = there, further
    return found


def _changed(choices: Choices, genotype: Genotype, rng: np.random.Generator) -> Genotype:
    """A design in which one active choice is drawn again; what becomes active is drawn, too."""
    genes: list[int] = rng.integers(choices.arities).tolist()
    active = choices.active(genotype)
    again = rng.choice([index for index in active if choices.arities[index] > 1] or [0])
    for index in active:
        if index != again:
            genes[index] = genotype[index]
    return choices.canonical(genes)
