"""The choices that constraints tie together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from nas.space.completions import INACTIVE, Completions, Parents, Table, holds


class TiedChoices:
    """The choices that constraints name, and those that these hang on; all others are free.

    Which options lead to a design is exact: they are counted (`Completions`), and not tried.

    Args:
        arities: the number of options of each choice of the space
        parents: the conditions of each choice of the space
        tables: its constraints
        more: further choices, by their indices, that are to be among them
    """

    def __init__(
        self,
        arities: Sequence[int],
        parents: Sequence[Parents],
        tables: Sequence[Table],
        more: Iterable[int] = (),
    ) -> None:
        indices = set[int]()
        waiting = [*more, *(index for scope, _ in tables for index in scope)]
        while waiting:
            if (index := waiting.pop()) not in indices:
                indices.add(index)
                waiting += [above for each in parents[index] for above, _ in each]
        self._indices = sorted(indices)
        self._place = {index: place for place, index in enumerate(self._indices)}
        self._arities = tuple(arities[index] for index in self._indices)
        self._parents = tuple(
            tuple(
                tuple((self._place[above], genes) for above, genes in each) for each in parents[i]
            )
            for i in self._indices
        )
        self._tables = tuple(
            (tuple(self._place[index] for index in scope), allowed) for scope, allowed in tables
        )

        self._counted = dict[tuple[tuple[tuple[int, int], ...], bool], Completions]()

    def __contains__(self, index: int) -> bool:
        return index in self._place

    @property
    def possible(self) -> bool:
        """Whether any design keeps all constraints."""
        return self._completions({}).count() > 0

    def allowed(self, index: int, genes: Sequence[int]) -> tuple[int, ...] | None:
        """The genes of an active choice for which there are designs that begin with `genes`, those
        of the choices before it; None if it is free.
        """
        if index not in self._place:
            return None
        return self._completions({}).onward(self._before(self._place[index], genes)).possible

    def bring_near(self, genes: list[int], kept: Iterable[int]) -> None:
        """Changes the genes so that they keep all constraints. Those that are `kept` stay, one after
        the other, unless no design has them all; the others take, in the order of the space, the
        nearest options that are allowed.
        """
        fixed = dict[int, int]()
        for index in kept:
            wanted = {**fixed, self._place[index]: genes[index]}
            fixed = wanted if self._completions(wanted).count() else fixed
        counted, before = self._completions(fixed), list[int]()
        for place, index in enumerate(self._indices):
            if not holds(self._parents[place], before):
                before.append(INACTIVE)
                continue
            possible = counted.onward(before).possible
            if genes[index] not in possible:
                genes[index] = min(possible, key=lambda gene: abs(gene - genes[index]))
            before.append(genes[index])

    def draw(self, genes: list[int], rng: np.random.Generator) -> None:
        """Draws the genes anew, uniformly among all that keep the constraints."""
        counted, before = self._completions({}, spare=True), list[int]()
        for place, index in enumerate(self._indices):
            genes[index] = int(rng.integers(self._arities[place]))
            if not holds(self._parents[place], before):
                before.append(INACTIVE)
                continue
            possible, shares = counted.onward(before)
            # Rounding may leave the last share a little below 1.
            at = min(bisect_right(shares, rng.random()), len(possible) - 1)
            genes[index] = possible[at]
            before.append(genes[index])

    def _before(self, place: int, genes: Sequence[int]) -> list[int]:
        values = list[int]()
        for parents, index in zip(self._parents[:place], self._indices, strict=False):
            values.append(genes[index] if holds(parents, values) else INACTIVE)
        return values

    def _completions(self, fixed: dict[int, int], spare: bool = False) -> Completions:
        given = tuple(sorted(fixed.items()))
        if (given, spare) not in self._counted:
            made = _completions(self._arities, self._parents, self._tables, given, spare)
            self._counted[given, spare] = made
        return self._counted[given, spare]


# A space makes its choices anew whenever it is asked for them.
@lru_cache(maxsize=1024)
def _completions(
    arities: tuple[int, ...],
    parents: tuple[Parents, ...],
    tables: tuple[Table, ...],
    fixed: tuple[tuple[int, int], ...],
    spare: bool,
) -> Completions:
    return Completions(arities, parents, tables, dict(fixed), spare)
