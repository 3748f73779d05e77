"""The choices of a space as those of a part of another."""

from dataclasses import replace

from nas.space.choice import Choice
from nas.space.choices import Choices
from nas.space.condition import AnyOf


def placed(choices: Choices, site: str) -> Choices:
    """The same choices for a part of a network that stands at `site`, the dotted name of a module:
    their sites, conditions and constraints are those within it. `Design.under` is the way back.

    >>> [choice.name for choice in placed(Choices([Choice("stem", "width", (8, 16))]), "body")]
    ['body.stem.width']
    """

    def within(name: str) -> str:
        return f"{site}.{name}" if name else site

    def moved(choice: Choice) -> Choice:
        alternatives = tuple(
            tuple((within(name), options) for name, options in conditions)
            for conditions in choice.alternatives
        )
        return replace(choice, site=within(choice.site), when=AnyOf(alternatives))

    constraints = (replace(c, names=tuple(map(within, c.names))) for c in choices.constraints)
    return Choices(map(moved, choices), constraints)
