"""Search spaces: an ordered tuple of finite choices, and the genotypes that index into it."""

from __future__ import annotations

import hashlib
import json
import math
import operator
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

Genotype = tuple[int, ...]

RENAMED_KINDS: Mapping[str, str] = {"codes": "codebook_size"}
"""Former names of kinds of choices, which spaces and journals may still use, and the present ones.
"""
_FIRST_KINDS = {present: former for former, present in RENAMED_KINDS.items()}


def present_name(name: str) -> str:
    """The name of a choice, or a kind alone, with the present name of its kind."""
    site, dot, kind = name.rpartition(".")
    return f"{site}{dot}{RENAMED_KINDS.get(kind, kind)}"


def _first_name(name: str) -> str:
    """The name of a choice with the first name that its kind had."""
    site, dot, kind = name.rpartition(".")
    return f"{site}{dot}{_FIRST_KINDS.get(kind, kind)}"


class Design(Mapping[str, Hashable]):
    """The chosen option of every active choice of a candidate, by the name of the choice.

    Frozen. The typed readers check that an option is what a build function expects:

    >>> design = Design({"stem.width": 16, "stem.op": "conv3x3"})
    >>> design.integer("stem.width"), design.text("stem.op")
    (16, 'conv3x3')

    Raises:
        KeyError: if the choice is not active.
        TypeError: if a typed reader finds an option of another type.
    """

    def __init__(self, options: Mapping[str, Hashable]) -> None:
        self._options = {present_name(name): option for name, option in options.items()}

    def __getitem__(self, name: str) -> Hashable:
        return self._options[present_name(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)

    def __repr__(self) -> str:
        return f"Design({self._options})"

    def integer(self, name: str) -> int:
        """An option that is a whole number, such as a width or a depth."""
        option = self[name]
        if isinstance(option, bool) or not isinstance(option, int):
            raise TypeError(f"the option of {name!r} must be a whole number, but is {option!r}")
        return option

    def number(self, name: str) -> float:
        """An option that is a number, such as a ratio or a learning rate."""
        option = self[name]
        if isinstance(option, bool) or not isinstance(option, (int, float)):
            raise TypeError(f"the option of {name!r} must be a number, but is {option!r}")
        return float(option)

    def text(self, name: str) -> str:
        """An option that is a string, such as the name of an operator."""
        option = self[name]
        if not isinstance(option, str):
            raise TypeError(f"the option of {name!r} must be a string, but is {option!r}")
        return option

    def flag(self, name: str) -> bool:
        """An option that is True or False."""
        option = self[name]
        if not isinstance(option, bool):
            raise TypeError(f"the option of {name!r} must be True or False, but is {option!r}")
        return option


@dataclass(frozen=True)
class Choice:
    """One decision at one place of the network.

    `site` is the dotted name of the module that it applies to ("" for the whole network), `kind` is
    what is decided there ("op", "width", "prune", "bits", …), and `options` are the values to
    choose from. `when` makes a choice conditional: it is active, and part of the design, only if
    the earlier choice of that name has one of those options.

    Raises:
        ValueError: if the kind is empty or has a dot, there are no options, or they repeat or are
            not plain values.
    """

    site: str
    kind: str
    options: tuple[Hashable, ...]
    when: tuple[str, frozenset[Hashable]] | None = None

    def __post_init__(self) -> None:
        if not self.kind or "." in self.kind:
            raise ValueError(
                f"the kind of a choice must be a name without dots, but got {self.kind!r} at site {self.site!r}"
            )
        if not self.options:
            raise ValueError(f"a choice must have at least one option, but {self.name!r} has none")
        for option in self.options:
            _check_option(option, self.name)
        object.__setattr__(self, "kind", RENAMED_KINDS.get(self.kind, self.kind))
        if self.when is not None:
            object.__setattr__(self, "when", (present_name(self.when[0]), self.when[1]))
        # 1, 1.0 and True are one dictionary key: a design could not tell them apart.
        if len(set(self.options)) < len(self.options):
            raise ValueError(
                f"the options of {self.name!r} must differ from one another, but got {self.options}"
            )

    @property
    def name(self) -> str:
        """The key of this choice in a design: site and kind joined by a dot."""
        return f"{self.site}.{self.kind}" if self.site else self.kind


def _check_option(option: Hashable, name: str) -> None:
    """Allows only options with the same repr in every process, because the digest of a space is made
    of them.
    """
    if isinstance(option, tuple):
        for part in option:
            _check_option(part, name)
    elif option is not None and not isinstance(option, (str, int, float, bool)):
        raise ValueError(
            f"options must be strings, numbers, booleans, None or tuples of these, but {name!r} has {option!r}"
        )


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
            if choice.when is not None:
                parent, values = choice.when
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
    def _parents(self) -> tuple[tuple[int, frozenset[int]] | None, ...]:
        """For each conditional choice, the index of its parent and the genes of the parent that
        activate it.
        """
        index = {choice.name: i for i, choice in enumerate(self)}

        def parent(choice: Choice) -> tuple[int, frozenset[int]] | None:
            if choice.when is None:
                return None
            name, values = choice.when
            above = index[name]
            return above, frozenset(
                gene for gene, option in enumerate(self[above].options) if option in values
            )

        return tuple(map(parent, self))

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
        parent = self._parents[index]
        while parent is not None:
            above, genes = parent
            if genotype[above] not in genes:
                return False
            parent = self._parents[above]
        return True

    def active(self, genotype: Sequence[int]) -> tuple[int, ...]:
        """The indices of the active choices."""
        if self._unconditional:
            return tuple(range(len(self)))
        return tuple(index for index, active in enumerate(self._activity(genotype)) if active)

    def _activity(self, genotype: Sequence[int]) -> list[bool]:
        """Whether each choice is active, in one pass, because parents come first."""
        activity: list[bool] = []
        for parent in self._parents:
            activity.append(
                parent is None or (activity[parent[0]] and genotype[parent[0]] in parent[1])
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
    def below(self) -> tuple[tuple[int, ...], ...]:
        """For each option of each choice, the number of designs of the choices that depend on it."""
        # A condition names one earlier choice, so choices form trees in which parents come first.
        below = [[1] * arity for arity in self.arities]
        for index in reversed(range(len(self))):
            parent = self._parents[index]
            if parent is not None:
                above, genes = parent
                for gene in genes:
                    below[above][gene] *= sum(below[index])
        return tuple(map(tuple, below))

    @cached_property
    def size(self) -> int:
        """The number of different designs, exact."""
        return math.prod(
            sum(own)
            for own, parent in zip(self.below, self._parents, strict=True)
            if parent is None
        )

    @cached_property
    def digest(self) -> str:
        """A hash of all choices, options and conditions, 16 hexadecimal digits.

        A kind counts by its first name, so that renaming it leaves digests as they are.
        """
        rows = [
            [
                choice.site,
                _first_name(choice.kind),
                list(map(repr, choice.options)),
                choice.when and [_first_name(choice.when[0]), sorted(map(repr, choice.when[1]))],
            ]
            for choice in self
        ]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


class SearchSpace(Protocol):
    """Choices, and a function that builds a network from a design."""

    @property
    def choices(self) -> Choices:
        """The choices of the space."""
        ...

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """A network for inputs like `example`, [N, …], that gives logits [N, classes].

        Its only randomness is torch's global generator, which the caller seeds. The network may be
        trained already; the run trains it further.
        """
        ...
