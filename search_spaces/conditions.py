"""Conditions of choices that several spaces have."""

from collections.abc import Hashable, Mapping, Sequence

from nas.space import Choice


def above(name: str, options: Sequence[int], least: int) -> tuple[str, frozenset[Hashable]]:
    """The condition that the choice `name`, which has these options, is above `least`."""
    return name, frozenset(option for option in options if option > least)


def check_stages(stages: Sequence[int], widths: Sequence[Sequence[int]]) -> None:
    """Checks that there are widths for each number of stages.

    Raises:
        ValueError: if there are none, or no number.
    """
    if not stages or not all(1 <= count <= len(widths) for count in stages):
        raise ValueError(
            f"stages must be numbers from 1 to {len(widths)}, for which there are widths, but got {stages}"
        )


def of_stage(
    site: str,
    settings: Mapping[str, Sequence[Hashable]],
    depths: Sequence[int],
    bits: Sequence[int],
    when: tuple[str, frozenset[Hashable]],
) -> list[Choice]:
    """The choices of a stage: its settings by their kinds, without those that have no options, its
    depth, and the bit-width of each of its blocks.
    """
    kinds = {kind: tuple(options) for kind, options in settings.items() if options}
    own = [Choice(site, kind, options, when) for kind, options in kinds.items()]
    own.append(Choice(site, "depth", tuple(depths), when))
    return own + [
        Choice(f"{site}.block{block}", "bits", tuple(bits), above(f"{site}.depth", depths, block))
        for block in range(max(depths))
    ]


def offered(*choices: Choice) -> list[Choice]:
    """The choices that have several options: what has one is no choice, and takes no gene.

    `build` reads such a setting from the space. A condition must not name it.
    """
    return [choice for choice in choices if len(choice.options) > 1]
