"""`nas show`: what a run has found, as tables or as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas.cli.arguments import parser, with_experiment
from nas.objective import Objective
from nas.runs import journal
from nas.runs.records import objective_of
from nas.runs.summary import Layers, layers_of_best, summary


def main(arguments: Sequence[str]) -> None:
    """`nas show DIRECTORY [--json] [--sensitivity FILE.py[:FUNCTION] [options]]`."""
    known = parser("show", "What a run has found.")
    known.add_argument("directory", type=Path, help="a run directory")
    known.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    known.add_argument(
        "--sensitivity",
        metavar="FILE.py[:FUNCTION]",
        help="the experiment, whose options follow: the accuracy of the best at other bits in each layer",
    )
    options, experiment = with_experiment(known, arguments, "sensitivity")
    layers = None if experiment is None else layers_of_best(options.directory, experiment)
    if options.json:
        print_json(options.directory, layers)
    else:
        print_table(options.directory, Console(), layers)


def print_json(out: Path, layers: Layers | None = None) -> None:
    """Prints the summary as one JSON object, with the layers of the best candidate where they are
    given.
    """
    print(json.dumps(summary(out) | ({} if layers is None else {"sensitivity": layers}), indent=2))


def print_table(out: Path, console: Console, layers: Layers | None = None) -> None:
    """Prints the summary for people, with the layers of the best candidate where they are given."""
    found = summary(out)
    counts = ", ".join(f"{count} {status}" for status, count in found["counts"].items())
    # Texts, because a string would be searched for the console's own markup, and names may look
    # like it.
    console.print(Text(f"{out}: {counts}"))
    if found["pareto"]:
        console.print(_table("Pareto front", found["pareto"], objective_of(journal.read(out)[0])))
    if found["best"] is not None:
        console.print(
            Text(f"best: number {found['best']['id']}, {format_metrics(found['best']['metrics'])}")
        )
        for name, option in found["best"]["design"].items():
            console.print(Text(f"  {name} = {option}"))
    if "nearest" in found:
        close = found["nearest"]
        console.print(
            Text(
                f"nothing meets the budget; nearest: number {close['id']}, {format_metrics(close['metrics'])}"
            )
        )
    if "test_accuracy" in found:
        console.print(f"test accuracy of the best: {found['test_accuracy']:.4f}")
    if layers:
        console.print(_sensitivities(layers))


def _sensitivities(layers: Layers) -> Table:
    table = Table(
        title="validation accuracy when one layer has other bits",
        caption="* as in the best candidate",
    )
    table.add_column("layer")
    widths = next(iter(layers.values()))["accuracy"]
    for bits in widths:
        table.add_column("1 bit" if bits == 1 else f"{bits} bits", justify="right")
    for name, layer in layers.items():
        cells = (
            f"{layer['accuracy'][bits]:.4f}{'*' if bits == layer['bits'] else ' '}"
            for bits in widths
        )
        table.add_row(Text(name), *cells)
    return table


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Metrics as text: fractions to four places, counts whole."""
    return ", ".join(f"{name} {_number(value)}" for name, value in metrics.items())


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) and abs(value) > 1 else f"{value:.4f}"


def _table(title: str, candidates: Sequence[Mapping[str, Any]], objective: Objective) -> Table:
    """The metrics that the objective names: all of them would not fit the width of a terminal."""
    table = Table(title=title)
    names = dict.fromkeys((*objective.maximize, *objective.minimize, *objective.budget.limits))
    for name in ("number", *names):
        table.add_column(Text(name), justify="right")
    for candidate in candidates:
        table.add_row(
            str(candidate["id"]), *(_number(candidate["metrics"][name]) for name in names)
        )
    return table
