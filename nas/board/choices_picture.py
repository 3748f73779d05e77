"""What a search chose where, as it went on: bits, widths, operators and whatever else, as a picture."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nas.board.picture import Picture, pixels
from nas.objective import Evaluation, Status
from nas.space import Choice, Choices

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_COLUMNS = 400
MOST_ROWS = 40
"""Of one kind: names of more sites could not be read."""


def choices_picture(evaluations: Sequence[Evaluation], choices: Choices) -> Picture:
    """For each kind of choice a panel with a row for each site and a column for each trained candidate,
    in their order, of a long search an even choice of them; white is what was not active; uint8
    [H, W, 4].
    """
    trained = [each for each in evaluations if each.status is Status.OK]
    count = min(len(trained), MOST_COLUMNS)
    shown = [trained[index * len(trained) // count] for index in range(count)]
    kinds = {kind: [c for c in choices if c.kind == kind] for kind in _kinds(choices)}
    rows = [min(len(found), MOST_ROWS) for found in kinds.values()]
    heights = [0.25 * count + 0.9 for count in rows]
    figure = Figure(figsize=(9, sum(heights)), dpi=80, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(len(kinds), squeeze=False, height_ratios=heights)[:, 0]
    for panel, (kind, found) in zip(panels, kinds.items(), strict=True):
        _draw(figure, panel, kind, found[:MOST_ROWS], shown)
    return pixels(canvas)


def _kinds(choices: Choices) -> list[str]:
    return [*dict.fromkeys(choice.kind for choice in choices)]


def _draw(
    figure: Figure, panel: "Axes", kind: str, found: Sequence[Choice], shown: Sequence[Evaluation]
) -> None:
    options = _ordered(found)
    places = {option: place for place, option in enumerate(options)}
    cells = np.full((len(found), len(shown)), np.nan)
    for row, choice in enumerate(found):
        for column, each in enumerate(shown):
            # Bits that a repair took may be none of the options.
            cells[row, column] = places.get(each.design.get(choice.name, _ABSENT), np.nan)
    drawn = panel.imshow(
        cells, aspect="auto", interpolation="nearest", vmin=0, vmax=max(1, len(options) - 1)
    )
    panel.set(title=kind, yticks=range(len(found)), xticks=_few(len(shown)))
    panel.set_yticklabels([choice.site or "network" for choice in found], fontsize=7)
    panel.set_xticklabels([str(shown[index].id) for index in _few(len(shown))], fontsize=7)
    ticks = _few(len(options))
    bar = figure.colorbar(drawn, ax=panel, ticks=ticks)
    bar.ax.set_yticklabels([str(options[index]) for index in ticks], fontsize=7)


_ABSENT = object()


def _ordered(found: Sequence[Choice]) -> list[Hashable]:
    """The options of all sites, numbers by size, others as they are listed."""
    options = dict.fromkeys(option for choice in found for option in choice.options)
    if all(isinstance(option, (int, float)) for option in options):
        return sorted(options, key=float)  # type: ignore[arg-type]
    return [*options]


def _few(count: int, most: int = 12) -> list[int]:
    """At most so many of the indices, evenly."""
    return [*range(0, count, -(-count // most))] if count else []
