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
MOST_TEXT = 100
WIDTH, ROW, GAP = 9.0, 0.2, 0.5
"""Of the picture, of each row and between panels, in inches."""


def choices_picture(evaluations: Sequence[Evaluation], choices: Choices) -> Picture:
    """For each kind of choice a panel with a row for each site and a column for each trained candidate,
    in their order, of a long search an even choice of them; white is what was not active; uint8
    [H, W, 4].
    """
    trained = [each for each in evaluations if each.status is Status.OK]
    count = min(len(trained), MOST_COLUMNS)
    shown = [trained[index * len(trained) // count] for index in range(count)]
    kinds = {kind: [c for c in choices if c.kind == kind] for kind in _kinds(choices)}
    heights = [ROW * min(len(found), MOST_ROWS) for found in kinds.values()]
    height = sum(heights) + GAP * (len(kinds) + 1)
    figure = Figure(figsize=(WIDTH, height), dpi=80)
    canvas = FigureCanvasAgg(figure)
    top = height
    for (kind, found), tall in zip(kinds.items(), heights, strict=True):
        top -= GAP + tall
        # Places by hand: a layout engine takes a second of processor time.
        panel = figure.add_axes((0.28, top / height, 0.7, tall / height))
        _draw(panel, kind, found[:MOST_ROWS], shown)
    return pixels(canvas)


def _kinds(choices: Choices) -> list[str]:
    return [*dict.fromkeys(choice.kind for choice in choices)]


def _draw(panel: "Axes", kind: str, found: Sequence[Choice], shown: Sequence[Evaluation]) -> None:
    options = _ordered(found)
    places = {option: place for place, option in enumerate(options)}
    cells = np.full((len(found), len(shown)), np.nan)
    for row, choice in enumerate(found):
        for column, each in enumerate(shown):
            # Bits that a repair took may be none of the options.
            cells[row, column] = places.get(each.design.get(choice.name, _ABSENT), np.nan)
    most = max(1, len(options) - 1)
    panel.imshow(cells, aspect="auto", interpolation="nearest", vmin=0, vmax=most)
    told = ", ".join(str(option) for option in options)
    panel.set_title(f"{kind}, dark to bright: {told[:MOST_TEXT]}", fontsize=8)
    panel.set_yticks(range(len(found)), [choice.site or "network" for choice in found], fontsize=7)
    ticks = [*range(0, len(shown), -(-len(shown) // 12))]
    panel.set_xticks(ticks, [str(shown[index].id) for index in ticks], fontsize=7)


_ABSENT = object()


def _ordered(found: Sequence[Choice]) -> list[Hashable]:
    """The options of all sites, numbers by size, others as they are listed."""
    options = dict.fromkeys(option for choice in found for option in choice.options)
    if all(isinstance(option, (int, float)) for option in options):
        return sorted(options, key=float)  # type: ignore[arg-type]
    return [*options]
