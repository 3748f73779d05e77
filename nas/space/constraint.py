"""What must hold between choices."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import product

from nas.space.renamed_kinds import present_name

Combinations = frozenset[tuple[int, ...]]
"""Combinations of the genes of some choices."""

MOST_COMBINATIONS = 100_000


@dataclass(frozen=True)
class Constraint:
    """A relation between the options of two or more choices that every design keeps.

    It holds of itself where one of the choices is not active.

    >>> from operator import le
    >>> growing = Constraint(("stage0.width", "stage1.width"), le)
    >>> growing
    Constraint(le('stage0.width', 'stage1.width'))

    A run's header describes which combinations of options are allowed, not the function, which so
    may be any, a lambda too. Spaces that hold their choices as data go to workers only if it has a
    name in a module, as `operator.le` has.

    Args:
        names: of the choices
        holds: whether their options, in this order, may stand together: a pure function

    Raises:
        ValueError: if there are fewer than two choices, or one is named twice.
    """

    names: tuple[str, ...]
    holds: Callable[..., bool]

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(map(present_name, self.names)))
        if len(set(self.names)) < max(2, len(self.names)):
            raise ValueError(
                f"a constraint must name two or more different choices, but got {self.names}"
            )

    def __repr__(self) -> str:
        called = getattr(self.holds, "__name__", type(self.holds).__name__)
        return f"Constraint({called}{self.names})"

    def allowed(self, options: Sequence[Sequence[Hashable]]) -> Combinations:
        """The combinations of genes that are allowed if the choices have these options.

        Raises:
            ValueError: if there are more than `MOST_COMBINATIONS`, or the function fails for one.
        """
        if (count := math.prod(map(len, options))) > MOST_COMBINATIONS:
            raise ValueError(
                f"a constraint must have at most {MOST_COMBINATIONS:,} combinations of options, but {self} has {count:,}"
            )
        return frozenset(
            genes
            for genes in product(*(range(len(each)) for each in options))
            if self._holds([each[gene] for each, gene in zip(options, genes, strict=True)])
        )

    def _holds(self, options: Sequence[Hashable]) -> bool:
        try:
            return bool(self.holds(*options))
        except Exception as error:
            raise ValueError(
                f"{self} must say of all options whether it holds, but raised {error!r} for {options}"
            ) from error
