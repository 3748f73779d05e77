"""What a run directory holds, as a table or as JSON."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas import record
from nas.objective import Budget, Evaluation, Objective, Status, best, hypervolume, nearest, pareto_front
from nas.soft import SoftTarget

if TYPE_CHECKING:
    from nas.experiment import Experiment

BITS = (1, 2, 3, 4, 6, 8)

Layers = Mapping[str, Mapping[str, Any]]
"""For each layer its `bits` (None: those of no quantised layer), and the `accuracy` at each number of them."""


def summary(out: Path) -> dict[str, Any]:
    """The best candidate, the Pareto front, its hypervolume and how many evaluations ended how.

    Raises:
        RunDirectoryError: if there is no journal in `out`, it is damaged, or its objective cannot judge what it holds.
    """
    header, evaluations = record.read(out)
    try:
        found = _judged(evaluations, objective_of(header))
    except (KeyError, TypeError, ValueError) as error:
        raise record.RunDirectoryError(
            f"{out} must hold an objective and all that it names, but judging gives {error!r}"
        ) from error
    tested = record.read_test(out)
    if found["best"] is not None and tested is not None and tested[0] == found["best"]["id"]:
        found["test_accuracy"] = tested[1]
    return found


def _judged(evaluations: Sequence[Evaluation], objective: Objective) -> dict[str, Any]:
    leader = best(evaluations, objective)
    counts = Counter(evaluation.status for evaluation in evaluations)
    found: dict[str, Any] = {
        "best": None if leader is None else _candidate(leader),
        "pareto": [_candidate(evaluation) for evaluation in pareto_front(evaluations, objective)],
        "hypervolume": hypervolume(evaluations, objective),
        "counts": {status.value: counts[status] for status in Status},
    }
    if leader is None and (close := nearest(evaluations, objective)) is not None:
        found["nearest"] = _candidate(close)
    return found


def objective_of(header: record.Header) -> Objective:
    """The objective that a run was made for."""
    recorded = header["experiment"]["objective"]
    soft = dict(recorded).get("soft")  # the first journals had none
    return Objective(
        tuple(recorded["maximize"]),
        tuple(recorded["minimize"]),
        Budget(dict(recorded["budget"]["limits"])),
        None if soft is None else SoftTarget(**soft),
    )


def _candidate(evaluation: Evaluation) -> dict[str, Any]:
    told = record.to_json(evaluation)
    return {name: told[name] for name in ("id", "design", "status", "metrics")}


def layers_of_best(out: Path, experiment: "Experiment") -> Layers:
    """How much validation accuracy each layer of the best candidate costs at each number of bits, when it alone changes.

    Raises:
        ValueError: if nothing is within the budget, the experiment is not the run's, or the candidate's weights are damaged.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
    """
    from nas.run import restored  # here, because the summary must not wait for torch
    from nas.sensitivity import bit_widths, sensitivity

    header, evaluations = record.read(out)
    leader = best(evaluations, objective_of(header))
    if leader is None:
        raise ValueError(f"the best of {out} must be within the budget, but nothing is")
    model = restored(experiment, out, leader)
    designed = bit_widths(model)
    table = sensitivity(model, experiment.task.validation, sorted({*BITS, *designed.values()}))
    return {name: {"bits": designed.get(name), "accuracy": dict(row)} for name, row in table.items()}


def print_json(out: Path, layers: Layers | None = None) -> None:
    """Prints the summary as one JSON object, with the layers of the best candidate where they are given."""
    print(json.dumps(summary(out) | ({} if layers is None else {"sensitivity": layers}), indent=2))


def print_table(out: Path, console: Console, layers: Layers | None = None) -> None:
    """Prints the summary for people, with the layers of the best candidate where they are given."""
    found = summary(out)
    counts = ", ".join(f"{count} {status}" for status, count in found["counts"].items())
    # Texts, because a string would be searched for the console's own markup, and names may look like it.
    console.print(Text(f"{out}: {counts}"))
    if found["pareto"]:
        console.print(_table("Pareto front", found["pareto"], objective_of(record.read(out)[0])))
    if found["best"] is not None:
        console.print(Text(f"best: number {found['best']['id']}, {told(found['best']['metrics'])}"))
        for name, option in found["best"]["design"].items():
            console.print(Text(f"  {name} = {option}"))
    if "nearest" in found:
        close = found["nearest"]
        console.print(Text(f"nothing meets the budget; nearest: number {close['id']}, {told(close['metrics'])}"))
    if "test_accuracy" in found:
        console.print(f"test accuracy of the best: {found['test_accuracy']:.4f}")
    if layers:
        console.print(_sensitivities(layers))


def _sensitivities(layers: Layers) -> Table:
    table = Table(title="validation accuracy when one layer has other bits", caption="* as in the best candidate")
    table.add_column("layer")
    widths = next(iter(layers.values()))["accuracy"]
    for bits in widths:
        table.add_column("1 bit" if bits == 1 else f"{bits} bits", justify="right")
    for name, layer in layers.items():
        cells = (f"{layer['accuracy'][bits]:.4f}{'*' if bits == layer['bits'] else ' '}" for bits in widths)
        table.add_row(Text(name), *cells)
    return table


def told(metrics: Mapping[str, float]) -> str:
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
        table.add_row(str(candidate["id"]), *(_number(candidate["metrics"][name]) for name in names))
    return table
