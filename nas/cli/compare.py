"""`nas compare`: runs side by side."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas.cli.command_parser import command_parser
from nas.report.comparison import comparison_head, comparison_row
from nas.report.reported_run import ReportedRun, read_runs
from nas.runs.settings import settings_of

MOST_TEXT = 60


def main(arguments: Sequence[str]) -> None:
    """Runs `nas compare`."""
    parser = command_parser(
        "compare", "Shows what runs found, side by side, and the settings in which they differ."
    )
    parser.add_argument(
        "directories", type=Path, nargs="+", metavar="DIRECTORY", help="run directories"
    )
    options = parser.parse_args(arguments)
    paths = [path.resolve() for path in options.directories]
    if len(paths) < 2 or len({*paths}) < len(paths):
        parser.error("there must be two different runs or more to compare")
    console = Console()
    runs = read_runs(options.directories)
    console.print(_table("the runs", comparison_head(runs), [comparison_row(run) for run in runs]))
    if names := differing(runs):
        rows = [
            [settings_of(run.header).get(name, "–")[:MOST_TEXT] for name in names] for run in runs
        ]
        columns = [[run.name, *row] for run, row in zip(runs, rows, strict=True)]
        console.print(_table("settings that differ", ("run", *names), columns))
    else:
        console.print("their settings are the same")


def differing(runs: Sequence[ReportedRun]) -> list[str]:
    """The names of the settings that are not the same in all runs."""
    settings = [settings_of(run.header) for run in runs]
    names = dict.fromkeys(name for each in settings for name in each)
    return [name for name in names if len({each.get(name) for each in settings}) > 1]


def _table(title: str, head: Sequence[str], columns: Sequence[Sequence[str]]) -> Table:
    """A column for each run, because there are more facts than runs."""
    table = Table(title=title)
    table.add_column(head[0])
    for column in columns:
        table.add_column(Text(column[0]), justify="right", overflow="fold")
    for index, name in enumerate(head[1:], start=1):
        table.add_row(Text(name), *(Text(column[index]) for column in columns))
    return table
