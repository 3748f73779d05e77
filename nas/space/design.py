"""A design: what was chosen."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING

from nas.space.renamed_kinds import present_name

if TYPE_CHECKING:
    pass


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

    def under(self, site: str) -> Design:
        """What was chosen at a site and below it, by names within it, for the part that stands there.

        >>> Design({"body.stem.width": 16, "head.bits": 8}).under("body")
        Design({'stem.width': 16})
        """
        start = f"{site}."
        found = {n.removeprefix(start): o for n, o in self._options.items() if n.startswith(start)}
        return Design(found)

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
