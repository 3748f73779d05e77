"""Counting the designs that begin with given options, where choices hang on several others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

Parents = tuple[tuple[int, frozenset[int]], ...]
"""The conditions of a choice: indices of earlier ones, and their genes under which it is active."""

INACTIVE = -1
"""Stands for the gene of a choice that is not active."""


@dataclass(frozen=True)
class _Message:
    """How many ways there are to go on, for each combination of the genes of a few choices."""

    scope: tuple[int, ...]
    ways: Mapping[tuple[int, ...], int]

    def at(self, genes: Mapping[int, int] | Sequence[int]) -> int:
        return self.ways[tuple(genes[index] for index in self.scope)]


class Completions:
    """The number of designs that begin with given genes, exact.

    Choices are eliminated from the last one on (Dechter, 1999): what is left of each is a table over
    the choices before it that it, or one that hangs on it, depends on. Tables have one entry for
    each combination of their options, so that conditions on many choices at once cost memory.

    Args:
        arities: the number of options of each choice
        parents: the conditions of each choice
    """

    def __init__(self, arities: Sequence[int], parents: Sequence[Parents]) -> None:
        messages, constant = list[_Message](), 1
        stages = [(constant, tuple(messages))]
        for index in reversed(range(len(arities))):
            own = [message for message in messages if index in message.scope]
            messages = [message for message in messages if index not in message.scope]
            scope = {above for above, _ in parents[index]}.union(*(one.scope for one in own))
            places = tuple(sorted(scope - {index}))
            ways = dict[tuple[int, ...], int]()
            for genes in product(
                *(range(INACTIVE if parents[place] else 0, arities[place]) for place in places)
            ):
                given = dict(zip(places, genes, strict=True))
                active = all(given[above] in values for above, values in parents[index])
                ways[genes] = sum(
                    math.prod(message.at({**given, index: gene}) for message in own)
                    for gene in (range(arities[index]) if active else (INACTIVE,))
                )
            if places:
                messages.append(_Message(places, ways))
            else:
                constant *= ways[()]
            stages.append((constant, tuple(messages)))
        self._stages = stages[::-1]

    def count(self, genes: Sequence[int]) -> int:
        """The designs whose first genes are these, with `INACTIVE` for choices that are not active."""
        constant, messages = self._stages[len(genes)]
        return constant * math.prod(message.at(genes) for message in messages)
