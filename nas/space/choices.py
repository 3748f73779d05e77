"""Search spaces: an ordered tuple of finite choices, and the genotypes that index into it."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from nas.space.choice import Choice, Condition
from nas.space.completions import INACTIVE, Completions, Parents
from nas.space.design import Design
from nas.space.renamed_kinds import first_name

Genotype = tuple[int, ...]


class Choices(tuple[Choice, ...]):
    """All choices of a space, in the order of their genes.

    Raises:
        ValueError: if there are no choices, two have the same name, or a `when` names no earlier
            choice, or options that it does not have.
    """

    def __new__(cls, choices: Iterable[Choice] = ()) -> Choices:  # noqa: D102
        known: dict[str, Choice] = {}
        for choice in choices:
            if choice.name in known:
                raise ValueError(
                    f"the names of choices must be unique, but {choice.name!r} appears twice"
                )
            for parent, values in choice.conditions:
                if parent not in known:
                    raise ValueError(
                        f"'when' of {choice.name!r} must name an earlier choice of {tuple(known)}, but got {parent!r}"
                    )
                if not values or not values <= set(known[parent].options):
                    options = known[parent].options
                    raise ValueError(
                        f"'when' of {choice.name!r} must list options of {parent!r}, {options}, but got {set(values)}"
                    )
            known[choice.name] = choice
        if not known:
            raise ValueError("a space must have at least one choice, but got none")
        return super().__new__(cls, known.values())

    @cached_property
    def arities(self) -> tuple[int, ...]:
        """The number of options of each choice."""
        return tuple(len(choice.options) for choice in self)

    @cached_property
    def _parents(self) -> tuple[Parents, ...]:
        """For each condition of each choice, the index of its parent and the genes of the parent
        under which it holds.
        """
        index = {choice.name: i for i, choice in enumerate(self)}

        def condition(name: str, values: frozenset[Hashable]) -> tuple[int, frozenset[int]]:
            options = self[index[name]].options
            return index[name], frozenset(g for g, option in enumerate(options) if option in values)

        return tuple(
            tuple(condition(name, values) for name, values in choice.conditions) for choice in self
        )

    def check(self, genotype: Sequence[int]) -> Genotype:
        """The genotype as a tuple of ints.

        Raises:
            ValueError: if its length is not that of the space, or a gene is out of range.
        """
        if len(genotype) != len(self):
            raise ValueError(
                f"a genotype of this space must have {len(self)} genes, but got {len(genotype)}"
            )
        for index, (arity, gene) in enumerate(zip(self.arities, genotype, strict=True)):
            if not 0 <= gene < arity:
                raise ValueError(
                    f"the gene of {self[index].name!r} must be in 0 … {arity - 1}, but got {gene}"
                )
        return tuple(map(operator.index, genotype))

    def is_active(self, index: int, genotype: Sequence[int]) -> bool:
        """Whether choice `index` is active, from the genes before it."""
        waiting, seen = [index], {index}
        while waiting:
            for above, genes in self._parents[waiting.pop()]:
                if genotype[above] not in genes:
                    return False
                if above not in seen:
                    seen.add(above)
                    waiting.append(above)
        return True

    def active(self, genotype: Sequence[int]) -> tuple[int, ...]:
        """The indices of the active choices."""
        if self._unconditional:
            return tuple(range(len(self)))
        return tuple(index for index, active in enumerate(self._activity(genotype)) if active)

    def _activity(self, genotype: Sequence[int]) -> list[bool]:
        """Whether each choice is active, in one pass, because parents come first."""
        activity: list[bool] = []
        for parents in self._parents:
            activity.append(
                all(activity[above] and genotype[above] in genes for above, genes in parents)
            )
        return activity

    @cached_property
    def _unconditional(self) -> bool:
        return not any(self._parents)

    def canonical(self, genotype: Sequence[int]) -> Genotype:
        """The genotype with inactive genes set to 0, so that equal designs have equal genotypes."""
        checked = self.check(genotype)
        if self._unconditional:
            return checked
        return tuple(
            gene if active else 0
            for gene, active in zip(checked, self._activity(checked), strict=True)
        )

    def decode(self, genotype: Sequence[int]) -> Design:
        """The chosen option of every active choice, by name."""
        checked = self.check(genotype)
        active = self.active(checked)
        return Design({self[index].name: self[index].options[checked[index]] for index in active})

    def encode(self, design: Mapping[str, Hashable]) -> Genotype:
        """The canonical genotype of a design.

        Raises:
            ValueError: if a name or option is unknown, an active choice is missing, or an inactive
                one is given.
        """
        design, genes = Design(design), list[int]()
        for index, choice in enumerate(self):
            if not self.is_active(index, genes):
                genes.append(0)
            elif choice.name not in design:
                raise ValueError(
                    f"the design must give {choice.name!r}, one of {choice.options}, but gives only {tuple(design)}"
                )
            elif (option := design[choice.name]) not in choice.options:
                raise ValueError(
                    f"{choice.name!r} must be one of {choice.options}, but got {option!r}"
                )
            else:
                genes.append(choice.options.index(option))
        unknown = set(design) - {self[index].name for index in self.active(genes)}
        if unknown:
            raise ValueError(
                f"the design must give only active choices, but also gives {sorted(unknown)}"
            )
        return tuple(genes)

    def complete(self, stated: Mapping[str, Hashable]) -> Genotype:
        """The genotype with the options that are stated, by the names of choices, and the first
        option of every other choice. What the choices do not have is passed over.
        """
        genes = list[int]()
        for choice in self:
            option = stated.get(choice.name)
            genes.append(choice.options.index(option) if option in choice.options else 0)
        return self.canonical(genes)

    def sample(self, rng: np.random.Generator) -> Genotype:
        """A random canonical genotype; each active choice is uniform over its options."""
        return self.canonical(rng.integers(self.arities).tolist())

    def enumerate(self) -> Iterator[Genotype]:
        """Yields every canonical genotype once, in lexicographic order."""
        genes = [0] * len(self)
        while True:
            yield tuple(genes)
            for index in reversed(range(len(genes))):
                if self.is_active(index, genes) and genes[index] + 1 < self.arities[index]:
                    genes[index] += 1
                    genes[index + 1 :] = [0] * (len(genes) - index - 1)
                    break
            else:
                return

    @cached_property
    def _counted(self) -> Completions:
        return Completions(self.arities, self._parents)

    def completions(self, genes: Sequence[int] = ()) -> int:
        """The number of designs that begin with these genes, of which inactive ones do not count,
        exact.
        """
        values = list[int]()
        for gene, parents in zip(genes, self._parents, strict=False):
            active = all(values[above] in wanted for above, wanted in parents)
            values.append(gene if active else INACTIVE)
        return self._counted.count(values)

    @cached_property
    def size(self) -> int:
        """The number of different designs, exact."""
        return self.completions()

    @cached_property
    def digest(self) -> str:
        """A hash of all choices, options and conditions, 16 hexadecimal digits.

        A kind counts by its first name, so that renaming it leaves digests as they are.
        """
        rows = [
            [
                choice.site,
                first_name(choice.kind),
                list(map(repr, choice.options)),
                _described(choice.conditions),
            ]
            for choice in self
        ]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def _described(conditions: Sequence[Condition]) -> list[object] | None:
    """Conditions for a digest, in which one alone stands as it did when there was but one."""
    rows = [[first_name(name), sorted(map(repr, values))] for name, values in conditions]
    if len(rows) == 1:
        return [*rows[0]]
    return [*rows] or None
