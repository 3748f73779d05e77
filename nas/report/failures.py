"""Why candidates have no file."""

from nas.report.figures import shortened
from nas.report.markup import Markup, element
from nas.report.reported_run import ReportedRun
from nas.report.tables import table
from nas.runs.reasons import reasons

MOST_REASONS, LONGEST_REASON = 50, 2000


def failures(run: ReportedRun) -> Markup:
    """The reasons, counted, the most frequent first."""
    found = reasons(run.evaluations)
    if not found:
        return element(
            "p", "No candidate failed, and none was over the budget once it was trained."
        )
    rows = [
        [
            each.status.value,
            f"{each.count:,}",
            str(each.id),
            element("code", shortened(each.text, LONGEST_REASON)),
        ]
        for each in found
    ]
    head = ("status", "candidates", "first number", "reason")
    return table("reasons, alike but for their numbers", head, rows, MOST_REASONS)
