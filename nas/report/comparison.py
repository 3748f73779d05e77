"""Several runs, side by side."""

from collections.abc import Sequence

from nas.objective import Status
from nas.report.figures import duration, number
from nas.report.markup import Markup
from nas.report.reported_run import ReportedRun
from nas.report.tables import table


def comparison(runs: Sequence[ReportedRun]) -> Markup:
    """A table with a row for each run."""
    return table("the runs", comparison_head(runs), [comparison_row(run) for run in runs])


def comparison_head(runs: Sequence[ReportedRun]) -> tuple[str, ...]:
    """What the columns are called: that of quality by the metric, or metrics, of the runs."""
    quality = " or ".join(dict.fromkeys(run.quality for run in runs))
    return (
        *("run", "strategy", "seed", "trials", "failed", "time", "best"),
        *(quality, "bytes", f"test {quality}", "hypervolume", "budget"),
    )


def comparison_row(run: ReportedRun) -> list[str]:
    """What `comparison_head` names of a run."""
    experiment = run.header["experiment"]
    metrics = {} if run.best is None else run.best.metrics
    quality = run.quality
    tested = run.found.get(f"test_{quality}")
    strategy = experiment.get("strategy", "–")
    limits = run.objective.budget.limits
    return [
        run.name,
        str(strategy.get("name", "–") if isinstance(strategy, dict) else strategy),
        str(experiment.get("seed", "–")),
        f"{sum(each.is_trial for each in run.evaluations):,}",
        f"{sum(each.status is Status.FAILED for each in run.evaluations):,}",
        duration(run.seconds),
        "–" if run.best is None else f"number {run.best.id}",
        *(number(metrics[name]) if name in metrics else "–" for name in (quality, "size_bytes")),
        "–" if tested is None else number(tested),
        number(run.found["hypervolume"]),
        ", ".join(f"{name} ≤ {number(limit)}" for name, limit in limits.items()) or "none",
    ]
