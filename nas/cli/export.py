"""`nas export`: writes a candidate of a run as a file to ship."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas.cli.command_parser import EXPERIMENT, command_parser, parse_with_experiment
from nas.cli.metrics import format_metrics
from nas.data.scored import load_scored
from nas.program.program import Program
from nas.runs.directory import read_class_names
from nas.runs.export import export
from nas.runs.formats import FORMATS

if TYPE_CHECKING:
    from torch import Tensor

    from nas.measure.parity import Parity


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
    parser.add_argument(
        "--compare-on",
        metavar="DATA",
        help="as for nas score: the test samples on which the file is compared with the packed one, instead "
        "of the validation samples of --retrain, or random inputs",
    )
    options, experiment = parse_with_experiment(parser, arguments, "retrain")
    data: str | None = options.compare_on

    def samples(program: Program) -> "Tensor":
        assert data is not None
        shape, classes = program.tensors[0].shape, program.tensors[-1].size
        return load_scored(data, shape, classes, read_class_names(options.directory)).split.inputs

    exported = export(
        options.directory,
        options.id,
        options.to,
        options.out,
        experiment,
        options.class_names,
        None if data is None else samples,
    )
    evaluation = exported.evaluation
    print(f"{options.out}: candidate {evaluation.id}, {format_metrics(evaluation.metrics)}")
    on = "random inputs" if experiment is None else "validation samples"
    on = on if data is None else f"test samples of {data}"
    print(f"{options.out}: {_agreement(exported.parity, on)}")


def _agreement(parity: "Parity | None", on: str) -> str:
    if parity is None:
        return "not compared with the packed file: weights need a network, which --retrain builds"
    against = f"compared with the packed file on {parity.samples} {on}"
    figures = (
        f"{parity.differing:.2%} of logits differ, by {parity.steps:.3g} steps at most; "
        f"{parity.classes:.2%} of classes differ"
    )
    warning = "; NOT the same answers" if parity.classes else ""
    return f"{against}, {figures}{warning}"
