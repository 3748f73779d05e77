"""What the time of a search went to."""

from statistics import median

from nas.objective import Evaluation, Status
from nas.report.chart import Chart
from nas.report.figures import duration
from nas.report.reported_run import ReportedRun
from nas.report.tables import table

MOST_BARS = 200


def timeline(run: ReportedRun) -> Chart:
    """The seconds of the candidates in their order, by status; neighbours share a bar in a long search."""
    width = -(-len(run.evaluations) // MOST_BARS) or 1
    sums = dict[tuple[int, Status], float]()
    for each in run.evaluations:
        place = each.id // width, each.status
        sums[place] = sums.get(place, 0.0) + each.seconds
    bars = [
        [bar * width, status.value, round(seconds, 3)] for (bar, status), seconds in sums.items()
    ]
    rows = [_row(status, [e for e in run.evaluations if e.status is status]) for status in Status]
    of = "each candidate" if width == 1 else f"each {width} candidates"
    head = ("status", "candidates", "time", "median of one", "longest")
    return Chart(
        "timeline",
        {"width": width, "bars": bars, "statuses": [status.value for status in Status]},
        f"seconds of {of}, by number and status; {duration(run.seconds)} in all",
        table("time by status", head, [row for row in rows if row]),
    )


def _row(status: Status, evaluations: list[Evaluation]) -> list[str]:
    if not evaluations:
        return []
    seconds = [each.seconds for each in evaluations]
    times = sum(seconds), median(seconds), max(seconds)
    return [status.value, f"{len(seconds):,}", *map(duration, times)]
