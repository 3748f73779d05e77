"""The axes that trials are pictured on: those of the objective."""

from nas.objective import Objective


def first_metric(objective: Objective) -> str:
    """The metric that ranks candidates first."""
    return (*objective.maximize, *objective.minimize)[0]


def axes(objective: Objective, quality: str = "accuracy") -> list[tuple[str, str]]:
    """The pairs of metrics that are drawn, x and y: the first of the objective against each other one
    and each limited cost; against the size of the file if there is no other, or the `quality` that
    networks for the task have if it is the first itself.

    >>> axes(Objective(minimize=("macs",)))
    [('macs', 'accuracy')]
    """
    names = dict.fromkeys((*objective.maximize, *objective.minimize, *objective.budget.limits))
    first, *others = names
    alone = quality if first == "size_bytes" else "size_bytes"
    return [(other, first) for other in others or [alone]]
