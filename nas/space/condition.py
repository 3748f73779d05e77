"""When a choice is active: conditions on the options of earlier choices."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from nas.space.renamed_kinds import present_name

Condition = tuple[str, frozenset[Hashable]]
"""The name of an earlier choice, and the options of it under which the condition holds. It does not
hold where that choice is not active.
"""

Conditions = tuple[Condition, ...]
"""Conditions that must all hold."""


@dataclass(frozen=True)
class AnyOf:
    """Holds where one or more of the alternatives do: each of them a condition, or several that must
    all hold. So any combination of options of several choices can be said.

    >>> wide, deep = ("width", frozenset({32})), ("depth", frozenset({2, 3}))
    >>> AnyOf((wide, deep)) == AnyOf((deep, wide, wide))
    True

    Raises:
        ValueError: if there are no alternatives.
    """

    alternatives: tuple[Condition | Conditions, ...]

    def __post_init__(self) -> None:
        if not self.alternatives:
            raise ValueError("AnyOf must have at least one alternative, but got none")
        listed = {_listed(each) for each in self.alternatives}
        # In one order, because equal conditions must have equal digests.
        ordered = sorted(
            listed, key=lambda each: [(name, sorted(map(repr, v))) for name, v in each]
        )
        object.__setattr__(self, "alternatives", tuple(map(_shortest, ordered)))


When = Condition | Conditions | AnyOf | None
"""A condition, several that must all hold, alternatives, or none."""


def in_one_form(when: When) -> When:
    """The same by present names and in one order: a single condition not as a tuple of one.

    Raises:
        ValueError: if two conditions that must both hold name the same choice.
    """
    found = tuple(map(_shortest, alternatives_of(when)))
    return AnyOf(found) if len(found) > 1 else found[0] or None


def alternatives_of(when: When) -> tuple[Conditions, ...]:
    """The conditions that must all hold, for each alternative; there is always one, which has none
    if a choice is always active.
    """
    if isinstance(when, AnyOf):
        return tuple(map(_listed, when.alternatives))
    return (_listed(when or ()),)


def said(alternatives: Sequence[Conditions]) -> str:
    """Conditions as a reader would say them; empty if there are none."""
    return ", or ".join(
        " and ".join(
            f"{name} is {' or '.join(sorted(map(str, options)))}" for name, options in conditions
        )
        for conditions in alternatives
    )


def _listed(given: Condition | Conditions) -> Conditions:
    conditions: Conditions = (given,) if given and isinstance(given[0], str) else given
    listed = sorted(
        ((present_name(name), options) for name, options in conditions),
        key=lambda condition: condition[0],
    )
    names = [name for name, _ in listed]
    if len(set(names)) < len(names):
        raise ValueError(
            f"conditions must name each choice once, but got {names}; list all options in one"
        )
    return tuple(listed)


def _shortest(conditions: Conditions) -> Condition | Conditions:
    return conditions[0] if len(conditions) == 1 else conditions
