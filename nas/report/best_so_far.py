"""How the best result of a search rose."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.board.axes import first_metric
from nas.objective import Evaluation, Objective
from nas.report.chart import Chart
from nas.report.figures import number
from nas.report.reported_run import ReportedRun
from nas.report.tables import table
from nas.standing import Standing


@dataclass(frozen=True)
class Improvement:
    """After `trial` trials the best candidate was this one."""

    trial: int
    evaluation: Evaluation


def improvements(evaluations: Sequence[Evaluation], objective: Objective) -> list[Improvement]:
    """When the best candidate of the search so far changed, by the order of `nas.objective.best`."""
    found, standing = list[Improvement](), Standing(objective)
    for each in evaluations:
        standing.add(each)
        if standing.best is each:
            found.append(Improvement(standing.trials, each))
    return found


def best_so_far(runs: Sequence[ReportedRun]) -> list[Chart]:
    """A picture for each metric that ranks candidates of these runs, of all runs that it ranks."""
    names = dict.fromkeys(first_metric(run.objective) for run in runs)
    return [
        _chart([run for run in runs if first_metric(run.objective) == name], name) for name in names
    ]


def _chart(runs: Sequence[ReportedRun], name: str) -> Chart:
    series, rows = list[object](), list[list[str]]()
    for run in runs:
        steps = improvements(run.evaluations, run.objective)
        trials = sum(each.is_trial for each in run.evaluations)
        points = [[step.trial, step.evaluation.metrics[name], step.evaluation.id] for step in steps]
        series.append({"name": run.name, "points": points, "trials": trials})
        rows += [
            [
                run.name,
                str(step.trial),
                str(step.evaluation.id),
                number(step.evaluation.metrics[name]),
            ]
            for step in steps
        ]
    label = f"{name} of the best candidate so far, after each trial"
    head = ("run", "trials", "number", name)
    return Chart("curves", {"y": name, "series": series}, label, table(label, head, rows))
