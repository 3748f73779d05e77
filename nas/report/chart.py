"""A picture of a page: what charts.js draws, and the same as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas.report.markup import Markup, element


@dataclass(frozen=True)
class Chart:
    """A picture.

    `kind` names the function of charts.js that draws `data`, which is JSON. `label` says what is
    shown, and `table` the same to those who do not see it.
    """

    kind: str
    data: Mapping[str, Any]
    label: str
    table: Markup


def figure(chart: Chart, index: int) -> Markup:
    """The place where charts.js draws the picture `index` of a page, with its table."""
    place = {"class": "chart", "role": "img", "aria-label": chart.label, "data-chart": str(index)}
    return element(
        "figure",
        element("figcaption", chart.label),
        element("div", attributes=place),
        element("details", element("summary", "as a table"), chart.table),
    )
