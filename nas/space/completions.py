"""Counting the designs that begin with given options, where choices hang on several others and
constraints tie some together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from typing import NamedTuple

from nas.space.constraint import Combinations

Parents = tuple[tuple[tuple[int, frozenset[int]], ...], ...]
"""The conditions of a choice, for each alternative: indices of earlier ones, and their genes under
which it is active.
"""

Table = tuple[tuple[int, ...], Combinations]
"""The indices of some choices, and the combinations of their genes that a constraint allows where all
of them are active.
"""

ALWAYS: Parents = ((),)

INACTIVE = -1
"""Stands for the gene of a choice that is not active."""

MOST_WAYS = 1_000_000


def holds(parents: Parents, genes: Mapping[int, int] | Sequence[int]) -> bool:
    """Whether a choice is active, by the genes of its parents, with `INACTIVE` where those are not."""
    if parents == ALWAYS:
        return True
    return any(all(genes[above] in wanted for above, wanted in each) for each in parents)


@dataclass(frozen=True)
class _Message:
    """How many ways there are to go on, for each combination of the genes of a few choices."""

    scope: tuple[int, ...]
    ways: Mapping[tuple[int, ...], int]

    def at(self, genes: Mapping[int, int] | Sequence[int]) -> int:
        return self.ways[tuple(genes[index] for index in self.scope)]


class Onward(NamedTuple):
    """Options of a choice that lead to designs."""

    possible: tuple[int, ...]
    """Their genes, ascending."""
    shares: tuple[float, ...]
    """The share of the designs that each of them or one before it leads to."""


class Completions:
    """The number of designs that begin with given genes, exact.

    Choices are eliminated from the last one on (Dechter, 1999): what is left of each is a table over
    the choices before it that it, or one that hangs on it, depends on. Tables have one entry for
    each combination of their options, so that conditions on many choices at once cost memory.

    Args:
        arities: the number of options of each choice
        parents: the conditions of each choice
        tables: the constraints
        fixed: the genes of some choices, which so are active
        spare: whether genes of choices that are not active count too, so that genotypes are counted
            and not designs

    Raises:
        ValueError: if constraints tie so many choices together that a table has over a million
            entries.
    """

    def __init__(
        self,
        arities: Sequence[int],
        parents: Sequence[Parents],
        tables: Sequence[Table] = (),
        fixed: Mapping[int, int] | None = None,
        spare: bool = False,
    ) -> None:
        self._arities, self._parents, fixed = arities, parents, fixed or {}
        messages, constant = [self._constraint(*table) for table in tables], 1
        stages = [(constant, tuple(messages))]
        for index in reversed(range(len(arities))):
            own = [message for message in messages if index in message.scope]
            messages = [message for message in messages if index not in message.scope]
            scope = {above for each in parents[index] for above, _ in each}
            places = tuple(sorted(scope.union(*(one.scope for one in own)) - {index}))
            if tables:
                self._check_size(places)
            unused = arities[index] if spare else 1
            ways = dict[tuple[int, ...], int]()
            for genes in product(*map(self._genes, places)):
                given = dict(zip(places, genes, strict=True))
                active = holds(parents[index], given)
                ways[genes] = (1 if active else unused) * sum(
                    math.prod(message.at({**given, index: gene}) for message in own)
                    for gene in (range(arities[index]) if active else (INACTIVE,))
                    if fixed.get(index, gene) == gene
                )
            if places:
                messages.append(_Message(places, ways))
            else:
                constant *= ways[()]
            stages.append((constant, tuple(messages)))
        self._stages = stages[::-1]
        self._told = [
            tuple(one for one in told if index in one.scope)
            for index, (_, told) in enumerate(self._stages[1:])
        ]
        self._places = [
            sorted({place for one in told for place in one.scope} - {index})
            for index, told in enumerate(self._told)
        ]
        self._known = dict[tuple[int, ...], Onward]()

    def count(self, genes: Sequence[int] = ()) -> int:
        """The designs whose first genes are these, with `INACTIVE` for choices that are not active."""
        constant, messages = self._stages[len(genes)]
        return constant * math.prod(message.at(genes) for message in messages)

    def onward(self, genes: Sequence[int]) -> Onward:
        """The options of the next choice, which is active, of which there are designs that begin with
        these genes and it, if there are any that begin with these genes.
        """
        index = len(genes)
        key = (index, *[genes[place] for place in self._places[index]])
        if (found := self._known.get(key)) is None:
            told = self._told[index]
            ways = [
                math.prod(one.at([*genes, gene]) for one in told)
                for gene in range(self._arities[index])
            ]
            possible = tuple(gene for gene, way in enumerate(ways) if way)
            shares = accumulate(ways[gene] / sum(ways) for gene in possible)
            found = self._known[key] = Onward(possible, tuple(shares))
        return found

    def _genes(self, index: int) -> range:
        return range(0 if self._parents[index] == ALWAYS else INACTIVE, self._arities[index])

    def _constraint(self, scope: tuple[int, ...], allowed: Combinations) -> _Message:
        combinations = product(*map(self._genes, scope))
        return _Message(scope, {each: INACTIVE in each or each in allowed for each in combinations})

    def _check_size(self, places: Sequence[int]) -> None:
        if (count := math.prod(len(self._genes(place)) for place in places)) > MOST_WAYS:
            raise ValueError(
                f"constraints must tie few choices together, but these take a table of {count:,} entries, over {MOST_WAYS:,}"
            )
