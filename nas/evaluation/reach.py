"""How far the costs of a space reach, so that a budget that nothing meets is refused at once."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nas.objective import Budget
from nas.space import Choices, Genotype
from nas.strategy import Facts

Lookup = Callable[[Genotype], Facts]


@dataclass(frozen=True)
class Reach:
    """The cost called `name` of the smallest candidate that was found, of the one with the middle
    option of every choice, and of the largest that was found, and its `limit`.
    """

    name: str
    smallest: float
    middle: float
    largest: float
    limit: float

    @property
    def can_be_met(self) -> bool:
        """Whether the smallest candidate is within the limit."""
        return self.smallest <= self.limit


def reaches(choices: Choices, facts: Lookup, budget: Budget) -> list[Reach]:
    """The reach of every limited cost that is known before training.

    The extremes are found by coordinate descent from the middle: first all choices of a kind at
    once, and where the smallest candidate is over the limit, each choice alone. That is exact where
    an option that makes one layer cheaper does so whatever the other layers are. Candidates are
    looked up again and again, so `facts` should remember them.
    """
    middle = _middle(choices)
    found = list[Reach]()
    for name, limit in budget.limits.items():
        if name not in facts(middle).costs:
            continue  # it is measured, not counted

        def cost(genotype: Genotype, name: str = name) -> float:
            return facts(genotype).costs.get(name, math.inf)

        def saving(genotype: Genotype, name: str = name) -> float:
            return -facts(genotype).costs.get(name, 0.0)

        smallest = _least(choices, middle, cost, limit)
        largest = _descend(middle, saving, _of_kinds(choices))
        found.append(Reach(name, cost(smallest), cost(middle), cost(largest), limit))
    return found


def can_meet_all(choices: Choices, facts: Lookup) -> bool:
    """Whether a candidate within all limits that are known before training is found, as `reaches`
    looks for the smallest.
    """
    if facts(_middle(choices)).excess == 0:
        return True
    return facts(_least(choices, _middle(choices), lambda g: facts(g).excess, 0.0)).excess == 0


def smallest_by(choices: Choices, cost: Callable[[Genotype], float]) -> Genotype:
    """The candidate of the least cost that descent finds where all choices of a kind change at once."""
    return _descend(_middle(choices), cost, _of_kinds(choices))


def _middle(choices: Choices) -> Genotype:
    return choices.nearest([(arity - 1) // 2 for arity in choices.arities])


def _least(
    choices: Choices, start: Genotype, cost: Callable[[Genotype], float], limit: float
) -> Genotype:
    best = _descend(start, cost, _of_kinds(choices))
    return best if cost(best) <= limit else _descend(best, cost, _of_choices(choices))


Moves = Sequence[Callable[[Genotype], Iterator[Genotype]]]


def _descend(start: Genotype, cost: Callable[[Genotype], float], moves: Moves) -> Genotype:
    """The best candidate after each of the moves in turn."""
    best = start
    for move in moves:
        best = min(best, *move(best), key=cost)
    return best


def _of_kinds(choices: Choices) -> Moves:
    """For each kind, the candidates in which all its choices have the same option."""
    return [_moves(choices, kind) for kind in dict.fromkeys(choice.kind for choice in choices)]


def _moves(choices: Choices, kind: str) -> Callable[[Genotype], Iterator[Genotype]]:
    indices = [index for index, choice in enumerate(choices) if choice.kind == kind]
    return lambda genotype: _changed(choices, genotype, indices)


def _of_choices(choices: Choices) -> Moves:
    """For each choice, the candidates in which it alone has another option."""

    def move(index: int) -> Callable[[Genotype], Iterator[Genotype]]:
        return lambda genotype: _changed(choices, genotype, [index])

    return [move(index) for index in range(len(choices))]


def _changed(choices: Choices, genotype: Genotype, indices: Sequence[int]) -> Iterator[Genotype]:
    for option in range(max(choices.arities[index] for index in indices)):
        genes = list(genotype)
        for index in indices:
            genes[index] = min(option, choices.arities[index] - 1)
        yield choices.nearest(genes, kept=indices)
