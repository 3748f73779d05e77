"""The results of a run as a line, and as a small table for notebooks."""

from collections import Counter
from collections.abc import Sequence

from nas.html_table import html_table
from nas.objective import Evaluation


def result_line(
    evaluations: Sequence[Evaluation],
    best: Evaluation | None,
    test_score: float | None,
    quality: str = "accuracy",
) -> str:
    """How many candidates ended how, the best of them with its metrics, and its `quality` on test data."""
    return ", ".join(
        f"{name} {value}" for name, value in _rows(evaluations, best, test_score, quality)
    )


def result_table(
    evaluations: Sequence[Evaluation],
    best: Evaluation | None,
    test_score: float | None,
    quality: str = "accuracy",
) -> str:
    """The same as an HTML table, and the design of the best, all escaped."""
    design = {} if best is None else best.design
    rows = [
        *_rows(evaluations, best, test_score, quality),
        *((n, str(o)) for n, o in design.items()),
    ]
    return html_table(rows)


def _rows(
    evaluations: Sequence[Evaluation],
    best: Evaluation | None,
    test_score: float | None,
    quality: str = "accuracy",
) -> list[tuple[str, str]]:
    counts = Counter(each.status.value for each in evaluations)
    rows = [(status, f"{count:,}") for status, count in counts.items()]
    rows.append(("best", "none within the budget" if best is None else f"number {best.id}"))
    metrics = {} if best is None else best.metrics
    rows += [(name, f"{value:.6g}") for name, value in metrics.items()]
    return rows if test_score is None else [*rows, (f"test {quality}", f"{test_score:.6g}")]
