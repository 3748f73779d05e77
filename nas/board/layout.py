"""The page "Custom scalars": what tells first how a search goes."""

from collections.abc import Mapping

from nas.board.axes import first_metric
from nas.objective import Objective

Layout = Mapping[str, Mapping[str, tuple[str, list[str]]]]

WINDOW = 20
"""Of how many trained candidates means and entropies are taken."""


def layout_of(objective: Objective) -> Layout:
    """Charts by category and title, as `SummaryWriter.add_custom_scalars` takes them."""
    first = first_metric(objective)
    return {
        "search": {
            f"best, and mean of the last {WINDOW}: {first}": _lines(
                f"best/{first}", f"search/window_mean_{first}"
            ),
            "hypervolume": _lines("search/hypervolume"),
            "share over the budget": _lines("search/over_budget_share"),
            "entropy of the choices, and of the strategy": _lines(
                "search/entropy", "strategy/entropy"
            ),
        },
        "costs": {
            name: _lines(f"best/{name}", f"candidate/{name}")
            for name in dict.fromkeys((*objective.minimize, *objective.budget.limits))
        },
    }


def _lines(*tags: str) -> tuple[str, list[str]]:
    return "Multiline", [*tags]
