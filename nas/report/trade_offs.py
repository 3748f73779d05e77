"""Pictures of the trials on the axes of the objective, with the Pareto front and the budget."""

from collections.abc import Sequence

from nas.board.axes import axes
from nas.objective import Objective, pareto_front
from nas.report.chart import Chart
from nas.report.figures import design_text, number, shortened
from nas.report.reported_run import ReportedRun
from nas.report.tables import table

LONGEST_DESIGN = 1000


def trade_offs(run: ReportedRun) -> list[Chart]:
    """A picture for each pair of `axes` that was measured."""
    measured = {name for each in run.trained for name in each.metrics}
    return [_chart(run, x, y) for x, y in axes(run.objective, run.quality) if {x, y} <= measured]


def _chart(run: ReportedRun, x: str, y: str) -> Chart:
    objective = run.objective
    front = pareto_front(run.evaluations, objective)
    limits = objective.budget.limits
    front_is_a_line = {x, y} == {*objective.maximize, *objective.minimize}
    data = {
        "run": run.index,
        "x": x,
        "y": y,
        "limits": {name: limits[name] for name in (x, y) if name in limits},
        "front": [each.id for each in front],
        "line": front_is_a_line and y in objective.maximize,
    }
    names = dict.fromkeys((y, x, *objective.maximize, *objective.minimize, *limits))
    rows = [
        [
            str(each.id),
            *(number(each.metrics[name]) for name in names),
            shortened(design_text(each.design), LONGEST_DESIGN),
        ]
        for each in front
    ]
    limited = _limits(objective, (x, y))
    label = f"{y} and {x} of the trained candidates, with the Pareto front{limited}"
    caption = f"Pareto front{limited}"
    return Chart("front", data, label, table(caption, ("number", *names, "design"), rows))


def _limits(objective: Objective, names: Sequence[str]) -> str:
    limits = objective.budget.limits
    said = [f"{name} ≤ {number(limits[name])}" for name in names if name in limits]
    return f" and the budget, {', '.join(said)}" if said else ""
