"""A choice: one decision at one place of the network."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from nas.space.condition import Conditions, When, alternatives_of, in_one_form
from nas.space.renamed_kinds import RENAMED_KINDS


@dataclass(frozen=True)
class Choice:
    """One decision at one place of the network.

    `site` is the dotted name of the module that it applies to ("" for the whole network), `kind` is
    what is decided there ("op", "width", "prune", "bits", …), and `options` are the values to
    choose from. `when` makes a choice conditional: it is active, and part of the design, only if
    the earlier choice of that name has one of those options. With several conditions all must hold;
    `AnyOf` is for alternatives.

    >>> when = ("op", frozenset({"conv"})), ("depth", frozenset({2, 3}))
    >>> Choice("block1", "width", (8, 16), when).name
    'block1.width'

    Raises:
        ValueError: if the kind is empty or has a dot, there are no options, or they repeat or are
            not plain values, or two conditions name the same choice.
    """

    site: str
    kind: str
    options: tuple[Hashable, ...]
    when: When = None

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
        try:
            object.__setattr__(self, "when", in_one_form(self.when))
        except ValueError as error:
            raise ValueError(f"'when' of {self.name!r} is none: {error}") from error
        # 1, 1.0 and True are one dictionary key: a design could not tell them apart.
        if len(set(self.options)) < len(self.options):
            raise ValueError(
                f"the options of {self.name!r} must differ from one another, but got {self.options}"
            )

    @property
    def alternatives(self) -> tuple[Conditions, ...]:
        """The conditions that must all hold, in the order of their names, for each alternative; a
        choice that is always active has one alternative without conditions.
        """
        return alternatives_of(self.when)

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
