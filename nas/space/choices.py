"""Search spaces: an ordered tuple of finite choices, and the genotypes that index into it."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from nas.html_table import html_table
from nas.space.choice import Choice
from nas.space.completions import ALWAYS, INACTIVE, Completions, Parents, Table, holds
from nas.space.condition import Conditions, said
from nas.space.constraint import Constraint
from nas.space.design import Design
from nas.space.renamed_kinds import first_name
from nas.space.tied_choices import TiedChoices

Genotype = tuple[int, ...]

_MOST_MORE_TIED = 256


class Choices(tuple[Choice, ...]):
    """All choices of a space, in the order of their genes, and the `constraints` between them.

    What makes genotypes keeps the constraints: `sample`, `nearest` and `complete` give no others,
    `allowed` and `completions` tell what can follow, and all else refuses genotypes and designs that
    break one.

    Raises:
        ValueError: if there are no choices, two have the same name, a `when` names no earlier
            choice, or options that it does not have, or a constraint names no choice, or no design
            keeps the constraints.
    """

    constraints: tuple[Constraint, ...]

    def __new__(  # noqa: D102
        cls, choices: Iterable[Choice] = (), constraints: Iterable[Constraint] = ()
    ) -> Choices:
        known: dict[str, Choice] = {}
        for choice in choices:
            if choice.name in known:
                raise ValueError(
                    f"the names of choices must be unique, but {choice.name!r} appears twice"
                )
            for parent, values in (each for several in choice.alternatives for each in several):
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
        made = super().__new__(cls, known.values())
        made.constraints = tuple(constraints)
        for constraint in made.constraints:
            if unknown := [name for name in constraint.names if name not in known]:
                raise ValueError(
                    f"{constraint} must name choices of {tuple(known)}, but got {unknown}"
                )
        if made.constraints and not made._tied.possible:
            raise ValueError(
                f"constraints must allow some design, but {list(made.constraints)} together allow none"
            )
        return made

    def __getnewargs__(self) -> tuple[tuple[Choice, ...], tuple[Constraint, ...]]:
        """What copies and pickles are made of."""
        return tuple(self), self.constraints

    def __repr__(self) -> str:
        kinds = dict.fromkeys(choice.kind for choice in self)
        return f"Choices({len(self)} choices of {', '.join(kinds)})"

    def _repr_html_(self) -> str:
        """What a notebook shows: a row for each choice."""
        rows = [
            (choice.name, ", ".join(map(str, choice.options)), said(choice.alternatives))
            for choice in self
        ]
        return html_table(rows, ("choice", "options", "only where"))

    @cached_property
    def arities(self) -> tuple[int, ...]:
        """The number of options of each choice."""
        return tuple(len(choice.options) for choice in self)

    @cached_property
    def _index(self) -> Mapping[str, int]:
        return {choice.name: index for index, choice in enumerate(self)}

    @cached_property
    def _parents(self) -> tuple[Parents, ...]:
        """The alternatives of each choice by indices and genes."""

        def condition(name: str, values: frozenset[Hashable]) -> tuple[int, frozenset[int]]:
            options = self[self._index[name]].options
            genes = frozenset(g for g, option in enumerate(options) if option in values)
            return self._index[name], genes

        return tuple(
            tuple(
                tuple(condition(name, values) for name, values in conditions)
                for conditions in choice.alternatives
            )
            for choice in self
        )

    @cached_property
    def _tables(self) -> tuple[Table, ...]:
        """The constraints by indices and genes."""
        scopes = [tuple(map(self._index.__getitem__, each.names)) for each in self.constraints]
        return tuple(
            (scope, constraint.allowed([self[index].options for index in scope]))
            for scope, constraint in zip(scopes, self.constraints, strict=True)
        )

    @cached_property
    def _tied(self) -> TiedChoices:
        return TiedChoices(self.arities, self._parents, self._tables)

    def _tied_too(self, free: tuple[int, ...]) -> TiedChoices:
        """The tied choices, and some that are free, as if they were tied."""
        if free not in self._more_tied:
            if len(self._more_tied) == _MOST_MORE_TIED:
                self._more_tied.clear()
            made = TiedChoices(self.arities, self._parents, self._tables, free)
            self._more_tied[free] = made
        return self._more_tied[free]

    @cached_property
    def _more_tied(self) -> dict[tuple[int, ...], TiedChoices]:
        return {}

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
        waiting, above = [index], {index}
        while waiting:
            for parent in {parent for each in self._parents[waiting.pop()] for parent, _ in each}:
                if parent not in above:
                    above.add(parent)
                    waiting.append(parent)
        values = dict[int, int]()
        for each in sorted(above):
            active = holds(self._parents[each], values)
            if each == index:
                return active
            values[each] = genotype[each] if active else INACTIVE
        raise AssertionError("the choice itself comes last")

    def active(self, genotype: Sequence[int]) -> tuple[int, ...]:
        """The indices of the active choices."""
        if self._unconditional:
            return tuple(range(len(self)))
        return tuple(index for index, active in enumerate(self._activity(genotype)) if active)

    def _activity(self, genotype: Sequence[int]) -> list[bool]:
        """Whether each choice is active, in one pass, because parents come first."""
        values = list[int]()
        for gene, parents in zip(genotype, self._parents, strict=True):
            values.append(gene if parents == ALWAYS or holds(parents, values) else INACTIVE)
        return [value != INACTIVE for value in values]

    @cached_property
    def _unconditional(self) -> bool:
        return all(parents == ALWAYS for parents in self._parents)

    def canonical(self, genotype: Sequence[int]) -> Genotype:
        """The genotype with inactive genes set to 0, so that equal designs have equal genotypes.

        Raises:
            ValueError: as `check` does, or if the design breaks a constraint.
        """
        found = self._canonical(self.check(genotype))
        if broken := self._broken(found):
            raise ValueError(self._complaint(broken, found))
        return found

    def _canonical(self, checked: Genotype) -> Genotype:
        if self._unconditional:
            return checked
        return tuple(
            gene if active else 0
            for gene, active in zip(checked, self._activity(checked), strict=True)
        )

    def _broken(self, genotype: Genotype) -> Constraint | None:
        """The first constraint that a genotype breaks."""
        for at, (genes_of, (scope, allowed)) in enumerate(self._read):
            if genes_of(genotype) in allowed:
                continue
            if self._unconditional or set(self.active(genotype)).issuperset(scope):
                return self.constraints[at]
        return None

    @cached_property
    def _read(self) -> tuple[tuple[Callable[[Genotype], tuple[int, ...]], Table], ...]:
        """The constraints, and what reads the genes of each."""
        return tuple((operator.itemgetter(*table[0]), table) for table in self._tables)

    def _complaint(self, broken: Constraint, genotype: Genotype) -> str:
        found = {
            name: self[i].options[genotype[i]] for name in broken.names for i in [self._index[name]]
        }
        return f"a design must keep {broken}, but got {', '.join(f'{n} = {o!r}' for n, o in found.items())}"

    def nearest(self, genes: Sequence[int], kept: Iterable[int] = ()) -> Genotype:
        """The canonical genotype of the genes if it keeps all constraints, and else one close to it.

        Genes that are `kept`, by their indices, stay and stay active, one after the other, unless no
        design has them all; the others take the nearest option, by its place among the options of
        the choice, that is allowed with those before them.

        Raises:
            ValueError: as `check` does.
        """
        found = self._canonical(self.check(genes))
        if self._broken(found) is None:
            return found
        changed, tied = list(map(operator.index, genes)), self._tied
        # What is always active and tied to nothing stays anyway.
        kept = [index for index in kept if index in tied or self._parents[index] != ALWAYS]
        if free := tuple(index for index in kept if index not in tied):
            tied = self._tied_too(free)
        tied.bring_near(changed, kept)
        return self._canonical(tuple(changed))

    def allowed(self, index: int, genes: Sequence[int]) -> Sequence[int]:
        """The genes that choice `index`, which is active, can have in designs that begin with these
        genes, of which there is one for each choice before it.
        """
        found = self._tied.allowed(index, genes) if self.constraints else None
        return range(self.arities[index]) if found is None else found

    def decode(self, genotype: Sequence[int]) -> Design:
        """The chosen option of every active choice, by name.

        Raises:
            ValueError: as `canonical` does.
        """
        checked = self.canonical(genotype)
        active = self.active(checked)
        return Design({self[index].name: self[index].options[checked[index]] for index in active})

    def encode(self, design: Mapping[str, Hashable]) -> Genotype:
        """The canonical genotype of a design.

        Raises:
            ValueError: if a name or option is unknown, an active choice is missing, an inactive one
                is given, or the design breaks a constraint.
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
        return self.canonical(genes)

    def complete(self, stated: Mapping[str, Hashable]) -> Genotype:
        """The genotype with the options that are stated, by the names of choices, and the first
        option of every other choice, or the nearest one that constraints allow. What the choices do
        not have is passed over.
        """
        genes, kept = [0] * len(self), list[int]()
        for index, choice in enumerate(self):
            option = stated.get(choice.name)
            if option in choice.options:
                genes[index] = choice.options.index(option)
                kept.append(index)
        return self.nearest(genes, kept)

    def sample(self, rng: np.random.Generator) -> Genotype:
        """A random canonical genotype; each active choice is uniform over its options, given that the
        constraints hold.
        """
        genes: list[int] = rng.integers(self.arities).tolist()
        found = self._canonical(tuple(genes))
        if self._broken(found) is None:
            return found
        self._tied.draw(genes, rng)
        return self._canonical(tuple(genes))

    def enumerate(self) -> Iterator[Genotype]:
        """Yields every canonical genotype once, in lexicographic order."""
        genes = self._first(())
        while True:
            yield tuple(genes)
            for index in reversed(range(len(genes))):
                if self.is_active(index, genes):
                    more = [gene for gene in self.allowed(index, genes) if gene > genes[index]]
                    if more:
                        genes = self._first((*genes[:index], more[0]))
                        break
            else:
                return

    def _first(self, genes: Sequence[int]) -> list[int]:
        """The genes, and then the first ones that are allowed."""
        found = list(genes)
        if not self.constraints:
            return found + [0] * (len(self) - len(found))
        for index in range(len(found), len(self)):
            found.append(self.allowed(index, found)[0] if self.is_active(index, found) else 0)
        return found

    @cached_property
    def _counted(self) -> Completions:
        return Completions(self.arities, self._parents, self._tables)

    def completions(self, genes: Sequence[int] = ()) -> int:
        """The number of designs that begin with these genes, of which inactive ones do not count,
        exact.
        """
        values = list[int]()
        for gene, parents in zip(genes, self._parents, strict=False):
            values.append(gene if holds(parents, values) else INACTIVE)
        return self._counted.count(values)

    @cached_property
    def size(self) -> int:
        """The number of different designs that keep all constraints, exact."""
        return self.completions()

    @cached_property
    def digest(self) -> str:
        """A hash of all choices, options and conditions, and of what the constraints allow, 16
        hexadecimal digits.

        A kind counts by its first name, so that renaming it leaves digests as they are.
        """
        rows: list[object] = [
            [
                choice.site,
                first_name(choice.kind),
                list(map(repr, choice.options)),
                _described(choice.alternatives),
            ]
            for choice in self
        ]
        rows += sorted(
            [list(map(first_name, constraint.names)), sorted(allowed)]
            for constraint, (_, allowed) in zip(self.constraints, self._tables, strict=True)
        )
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def _described(alternatives: Sequence[Conditions]) -> list[object] | None:
    """Conditions for a digest, in which one alone stands as it did when there was but one, and one
    alternative as it did when there were none.
    """
    if len(alternatives) > 1:
        return ["any", *map(_described_all, alternatives)]
    return _described_all(alternatives[0])


def _described_all(conditions: Conditions) -> list[object] | None:
    rows = [[first_name(name), sorted(map(repr, values))] for name, values in conditions]
    if len(rows) == 1:
        return [*rows[0]]
    return [*rows] or None
