"""Conditions of choices that several spaces have."""

from collections.abc import Hashable, Sequence

from nas.space import Choice


def above(name: str, options: Sequence[int], least: int) -> tuple[str, frozenset[Hashable]]:
    """The condition that the choice `name`, which has these options, is above `least`."""
    return name, frozenset(option for option in options if option > least)


def offered(*choices: Choice) -> list[Choice]:
    """The choices that have several options: what has one is no choice, and takes no gene.

    `build` reads such a setting from the space. A condition must not name it.
    """
    return [choice for choice in choices if len(choice.options) > 1]
