"""The trials by their choices: parallel coordinates, and how much each choice matters."""

from collections.abc import Sequence

from nas.board.axes import first_metric
from nas.report.chart import Chart
from nas.report.figures import number, option_text, percent
from nas.report.importance import LEAST_TRIALS, Importance, importances
from nas.report.markup import Markup, element
from nas.report.reported_run import ReportedRun
from nas.report.shown_trials import ShownTrials
from nas.report.tables import table

MOST_AXES = 10


def importances_of(run: ReportedRun) -> list[Importance]:
    """How much each choice matters to the metric that ranks candidates first."""
    metric = first_metric(run.objective)
    return importances(run.trained, metric, metric not in run.objective.minimize)


def parallel_coordinates(
    run: ReportedRun, shown: ShownTrials, found: Sequence[Importance]
) -> Chart:
    """A line for each trial across the choices that matter most."""
    metric = first_metric(run.objective)
    names = [each.choice for each in found] or [*shown.choices]
    used = names[:MOST_AXES]
    data = {
        "run": run.index,
        "metric": metric,
        "axes": [shown.choices.index(name) for name in used],
        "low": metric in run.objective.minimize,
    }
    left = len(shown.choices) - len(used)
    label = f"{metric} and choices of each trial" + (
        f", without the {left} that matter least or are the same in all" if left > 0 else ""
    )
    rows = [
        [
            str(each.id),
            number(each.metrics[metric]),
            *(option_text(each.design[name]) if name in each.design else "–" for name in used),
        ]
        for each in shown.evaluations
    ]
    return Chart(
        "parallel", data, label, table("trials and their choices", ("number", metric, *used), rows)
    )


def importance_table(run: ReportedRun, found: Sequence[Importance]) -> list[Markup]:
    """A table of all choices, and how it was made."""
    metric = first_metric(run.objective)
    if not found:
        said = f"Needs {LEAST_TRIALS} trained trials that differ in {metric}; there are {len(run.trained)}."
        return [element("p", said)]
    rows = [
        [
            each.choice,
            "–" if each.share is None else percent(each.share),
            str(each.options),
            option_text(each.best),
            number(each.average),
        ]
        for each in found
    ]
    method = (
        f"Of {len(run.trained)} trained trials, grouped by the option of one choice at a time: the share of the "
        f"variance of {metric} that lies between the groups, less what chance gives (epsilon squared, Kelley, "
        "1935). The search chose options together, so shares overlap and need not sum to 100 %; they say what "
        "went together, not what caused it."
    )
    head = (
        "choice",
        "share explained",
        "options tried",
        "best option on average",
        f"its average {metric}",
    )
    return [element("p", method), table("importance of choices", head, rows)]
