"""`nas show`: what a run has found, as tables or as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas.cli.command_parser import EXPERIMENT, command_parser, parse_with_experiment
from nas.cli.importance import print_importance
from nas.cli.metrics import format_metric, format_metrics
from nas.cli.trials import print_trial, print_trials
from nas.objective import Evaluation, Objective, Status
from nas.runs.before_compression import before_compression
from nas.runs.journal import read_journal
from nas.runs.journal_format import Header, curve_metric_of, objective_of
from nas.runs.summary import LayerSensitivities, sensitivities_of_best, summary, summary_of

MOST_REASONS = 5


def main(arguments: Sequence[str]) -> None:
    """Runs `nas show`."""
    parser = command_parser("show", "Shows what a run has found.")
    parser.add_argument("directory", type=Path, help="a run directory")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument(
        "--trials",
        action="store_true",
        help="a line for each candidate, with the reason if it has no file",
    )
    parser.add_argument(
        "--sort", metavar="METRIC", help="with --trials: the largest first, or seconds"
    )
    parser.add_argument(
        "--status",
        type=Status,
        choices=tuple(Status),
        metavar="STATUS",
        help=f"with --trials: of these alone: {', '.join(Status)}",
    )
    parser.add_argument(
        "--id",
        type=int,
        metavar="NUMBER",
        help="one candidate: design, metrics, learning curve, file",
    )
    parser.add_argument(
        "--importance",
        action="store_true",
        help="how much each choice explains of the first metric",
    )
    parser.add_argument(
        "--sensitivity",
        metavar=EXPERIMENT,
        help="the run's experiment, followed by its options: adds the bytes, the divergence and the "
        "accuracy of the best candidate when one layer has other bits",
    )
    options, experiment = parse_with_experiment(parser, arguments, "sensitivity")
    if options.json and (options.trials or options.importance or options.id is not None):
        parser.error("--json is of the summary; the candidates are lines of JSON in journal.jsonl")
    if options.trials or options.sort or options.status:
        print_trials(options.directory, Console(), options.sort, options.status)
        return
    if options.importance:
        print_importance(options.directory, Console())
        return
    if options.id is not None:
        print_trial(options.directory, Console(), options.id)
        return
    layers = None if experiment is None else sensitivities_of_best(options.directory, experiment)
    if options.json:
        print_json(options.directory, layers)
    else:
        print_summary(options.directory, Console(), layers)


def print_json(out: Path, layers: LayerSensitivities | None = None) -> None:
    """Prints the summary as one JSON object, with the sensitivities of `layers` if given."""
    print(json.dumps(summary(out) | ({} if layers is None else {"sensitivity": layers}), indent=2))


def print_summary(out: Path, console: Console, layers: LayerSensitivities | None = None) -> None:
    """Prints the summary as text and tables, with the sensitivities of `layers` if given."""
    header, evaluations = read_journal(out)
    found = summary_of(out, header, evaluations)
    counts = ", ".join(f"{count} {status}" for status, count in found["counts"].items())
    # As Text, because rich would take names in brackets for markup.
    console.print(Text(f"{out}: {counts}"))
    for reason in found.get("reasons", ())[:MOST_REASONS]:
        times, status = reason["count"], reason["status"].value
        console.print(Text(f"  {times} {status}, as number {reason['id']}: {reason['text']}"))
    if "size_prediction" in found:
        files, error = found["size_prediction"]["files"], found["size_prediction"]["error"]
        console.print(f"sizes of {files} files were predicted with an error of {error:.1%}")
    if found["pareto"]:
        console.print(_pareto_table(found["pareto"], objective_of(header)))
    best = found["best"]
    if best is not None:
        console.print(Text(f"best: number {best['id']}, {format_metrics(best['metrics'])}"))
        _print_before(header, evaluations[best["id"]], found, console)
        for name, option in best["design"].items():
            console.print(Text(f"  {name} = {option}"))
    if "nearest" in found:
        nearest = found["nearest"]
        metrics = format_metrics(nearest["metrics"])
        console.print(Text(f"nothing meets the budget; nearest: number {nearest['id']}, {metrics}"))
    quality = found.get("quality", "accuracy")
    if f"test_{quality}" in found:
        console.print(f"test {quality} of the best: {found[f'test_{quality}']:.4f}")
    _print_trained_again(found, console)
    if layers:
        console.print(_sensitivity_table(layers))


def _print_before(
    header: Header, best: Evaluation, found: Mapping[str, Any], console: Console
) -> None:
    """Prints what the best was before it was compressed, and who taught it."""
    if (before := before_compression(header, best)) is not None:
        metric = curve_metric_of(header)
        console.print(f"  {metric} {before:.4f} before it was compressed", highlight=False)
    if "params" in best.metrics:
        floats = f"{4 * best.metrics['params']:,.0f}"
        console.print(f"  {floats} bytes as 32-bit floats", highlight=False)
    if "teacher" in found:
        metric, floats = curve_metric_of(header), f"{found['teacher']['float_bytes']:,.0f}"
        said = f"  {metric} {found['teacher'][metric]:.4f} of its teacher, of {floats} bytes as 32-bit floats"
        console.print(said, highlight=False)


def _print_trained_again(found: Mapping[str, Any], console: Console) -> None:
    """Prints what a run trained after its search."""
    quality = found.get("quality", "accuracy")
    if "retrained" in found:
        console.print(_retrained_table(found["retrained"], found["chosen"], quality))
    if f"chosen_test_{quality}" in found:
        tested = found[f"chosen_test_{quality}"]
        console.print(f"test {quality} of number {found['chosen']}, trained again: {tested:.4f}")
    if "final" in found:
        console.print(Text(_final_text(found["final"], quality)))


def _pareto_table(candidates: Sequence[Mapping[str, Any]], objective: Objective) -> Table:
    """Only the metrics that the objective names, because all would not fit a terminal."""
    table = Table(title="Pareto front")
    names = dict.fromkeys((*objective.maximize, *objective.minimize, *objective.budget.limits))
    for name in ("number", *names):
        table.add_column(Text(name), justify="right")
    for candidate in candidates:
        values = (format_metric(candidate["metrics"][name]) for name in names)
        table.add_row(str(candidate["id"]), *values)
    return table


def _final_text(final: Mapping[str, Any], quality: str) -> str:
    """The bytes and the test `quality` of the final network, or why it is not to be shipped."""
    trained = (
        f"final network: number {final['id']}, trained for {final['epochs']} epochs "
        "on training and validation samples"
    )
    if final["status"] != Status.OK:
        return f"{trained}, cannot be shipped: it is {final['status']}, {final['reason']}"
    metrics = final["metrics"]
    tested = metrics[f"test_{quality}"]
    return f"{trained}: {metrics['size_bytes']:,.0f} bytes, test {quality} {tested:.4f}"


def _retrained_table(
    candidates: Sequence[Mapping[str, Any]], choice: int | None, quality: str
) -> Table:
    """The `quality` in the search, by which candidates were chosen, beside that of a second training."""
    table = Table(
        title="the best, trained again with another seed",
        caption=f"* the best by validation {quality} when trained again",
    )
    for name in ("number", f"validation {quality} in the search", "trained again", "bytes"):
        table.add_column(name, justify="right")
    for candidate in candidates:
        metrics = candidate["metrics"]
        table.add_row(
            f"{candidate['id']}{'*' if candidate['id'] == choice else ' '}",
            *(
                "-" if score is None else f"{score:.4f}"
                for score in (candidate[f"search_{quality}"], metrics.get(quality))
            ),
            f"{metrics['size_bytes']:,.0f}" if "size_bytes" in metrics else candidate["status"],
        )
    return table


def _sensitivity_table(layers: LayerSensitivities) -> Table:
    """A line for each layer and number of bits."""
    table = Table(
        title="the best candidate when one layer has other bits",
        caption="* as in the best candidate",
    )
    table.add_column("layer")
    for name in ("bits", "bytes of weights", "divergence (nats)", "validation accuracy"):
        table.add_column(name, justify="right")
    for name, layer in layers.items():
        for bits in layer["accuracy"]:
            table.add_row(
                Text(name),
                f"{bits}{'*' if bits == layer['bits'] else ' '}",
                f"{layer['size_bytes'][bits]:,}",
                f"{layer['divergence'][bits]:.5f}",
                f"{layer['accuracy'][bits]:.4f}",
            )
        table.add_section()
    return table
