"""`nas export`: writes a candidate of a run as a file to ship."""

from collections.abc import Sequence
from pathlib import Path

from nas.cli.command_parser import EXPERIMENT, command_parser, parse_with_experiment
from nas.cli.metrics import format_metrics
from nas.runs.export import FORMATS, export


def main(arguments: Sequence[str]) -> None:
    """Runs `nas export`."""
    parser = command_parser("export", "Writes a trained candidate of a run as a file to ship.")
    parser.add_argument("directory", type=Path, help="a run directory")
    parser.add_argument(
        "--id",
        default="best",
        help="the number of a candidate; best; retrained, the best of those that the run trained again; "
        "or final, its final network",
    )
    parser.add_argument(
        "--to",
        choices=tuple(FORMATS),
        default=next(iter(FORMATS)),
        help="; ".join(f"{name}: {kind.help}" for name, kind in FORMATS.items()),
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    parser.add_argument(
        "--class-names",
        action="store_true",
        help="a packed file with the names of the classes, which make it longer",
    )
    parser.add_argument(
        "--retrain",
        metavar=EXPERIMENT,
        help="an experiment, followed by its options, by which the candidate is trained again, perhaps "
        "on other samples of the same task",
    )
    options, experiment = parse_with_experiment(parser, arguments, "retrain")
    evaluation = export(
        options.directory, options.id, options.to, options.out, experiment, options.class_names
    )
    print(f"{options.out}: candidate {evaluation.id}, {format_metrics(evaluation.metrics)}")
