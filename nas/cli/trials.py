"""The candidates of a run, one a line, and one of them in full."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas.cli.metrics import format_metric
from nas.objective import Evaluation, Objective, Status
from nas.packed import ledger
from nas.runs.before_compression import before_compression
from nas.runs.directory import packed_path
from nas.runs.journal import read_journal
from nas.runs.journal_format import curve_metric_of, objective_of

LONGEST_REASON = 200


def print_trials(out: Path, console: Console, sort: str | None, status: Status | None) -> None:
    """Prints a line for each candidate of a run, in their order or sorted by a metric, the largest
    first; those of one status alone, if it is given.

    Raises:
        ValueError: if no candidate has the metric.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
    """
    header, evaluations = read_journal(out)
    shown = [each for each in evaluations if status in (None, each.status)]
    if sort is not None:
        known = sorted({name for each in evaluations for name in each.metrics} | {"seconds"})
        if sort not in known:
            raise ValueError(f"trials must be sorted by one of {known}, but got {sort!r}")
        shown.sort(key=lambda each: -_value(each, sort))
    console.print(_trials_table(shown, objective_of(header), sort))


def _value(evaluation: Evaluation, name: str) -> float:
    if name == "seconds":
        return evaluation.seconds
    return evaluation.metrics.get(name, float("-inf"))


def _trials_table(
    evaluations: Sequence[Evaluation], objective: Objective, sort: str | None
) -> Table:
    table = Table()
    limits = objective.budget.limits
    named = dict.fromkeys((*objective.maximize, *objective.minimize, *limits))
    names = [*named, *([sort] if sort is not None and sort not in (*named, "seconds") else [])]
    for name in ("number", "status", "epochs", *names, "seconds"):
        table.add_column(Text(name), justify="left" if name == "status" else "right")
    table.add_column("reason", overflow="fold")
    for each in evaluations:
        table.add_row(
            str(each.id),
            each.status.value,
            "" if each.epochs is None else f"{each.epochs:g}",
            *(format_metric(each.metrics[name]) if name in each.metrics else "" for name in names),
            f"{each.seconds:.1f}",
            Text(_shortened(each.reason)),
        )
    return table


def _shortened(reason: str) -> str:
    return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"


def print_trial(out: Path, console: Console, id: int) -> None:
    """Prints one candidate of a run: its design, metrics, learning curve, what its file consists of, and
    the traceback if it failed.

    Raises:
        ValueError: if the run has no candidate of this number.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
    """
    header, evaluations = read_journal(out)
    found = next((each for each in evaluations if each.id == id), None)
    if found is None:
        raise ValueError(
            f"a candidate must have one of the numbers 0 to {len(evaluations) - 1}, but got {id}"
        )
    # As Text, because rich would take names in brackets for markup.
    console.print(Text(f"number {id}: {found.status.value}, {found.seconds:.1f} seconds"))
    if found.reason:
        console.print(Text(found.reason))
    if found.traceback:
        console.print(Text(found.traceback))
    for name, value in found.metrics.items():
        console.print(Text(f"  {name} {format_metric(value)}"))
    if (before := before_compression(header, found)) is not None:
        console.print(f"  {curve_metric_of(header)} before compression {before:.4f}")
    console.print("design:")
    for name, option in found.design.items():
        console.print(Text(f"  {name} = {option}"))
    if found.history:
        console.print(_curve_table(found, curve_metric_of(header)))
    if (path := packed_path(out, id)).exists():
        console.print(_ledger_table(path))


def _curve_table(evaluation: Evaluation, metric: str) -> Table:
    table = Table(title="learning curve")
    for name in ("epoch", "training loss", f"validation {metric}"):
        table.add_column(name, justify="right")
    for number, epoch in enumerate(evaluation.history, start=1):
        accuracy = "" if epoch.accuracy is None else f"{epoch.accuracy:.4f}"
        table.add_row(str(number), f"{epoch.loss:.4f}", accuracy)
    return table


def _ledger_table(path: Path) -> Table:
    entries = ledger(path.read_bytes())
    total = sum(entry.bytes for entry in entries)
    table = Table(title=f"{path.name}: {total:,} bytes")
    for name in ("bytes", "share"):
        table.add_column(name, justify="right")
    table.add_column("layer")
    table.add_column("purpose")
    for entry in entries:
        share = f"{entry.bytes / total:.1%}"
        table.add_row(f"{entry.bytes:,}", share, Text(entry.layer or "file"), entry.purpose)
    return table
