"""The choices that matter, as `nas show --importance` prints them."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas.board.axes import first_metric
from nas.cli.metrics import format_metric
from nas.report.choices import importances_of
from nas.report.importance import LEAST_TRIALS
from nas.report.reported_run import read_runs


def print_importance(out: Path, console: Console) -> None:
    """Prints how much of the first metric each choice explains, and its best option on average.

    Raises:
        RunDirectoryError: if `out` is not a run directory.
    """
    run = read_runs([out])[0]
    metric, found = first_metric(run.objective), importances_of(run)
    if not found:
        console.print(
            f"importance needs {LEAST_TRIALS} trained trials that differ in {metric}, "
            f"but there are {len(run.trained)}",
            highlight=False,
        )
        return
    table = Table(
        title=f"choices that {metric} depends on",
        caption="share: of its variance, between the options of one choice, less what chance gives; "
        "a search chooses options together, so that shares overlap",
    )
    table.add_column("choice")
    for name in ("share", "options tried", "best on average", f"its average {metric}"):
        table.add_column(name, justify="right")
    for each in found:
        table.add_row(
            Text(each.choice),
            "–" if each.share is None else f"{each.share:.0%}",
            str(each.options),
            Text(str(each.best)),
            format_metric(each.average),
        )
    console.print(table)
