"""`nas export`: writes a candidate of a run as a file to ship, or all of them for other tools."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas.cli.command_parser import EXPERIMENT, command_parser, parse_with_experiment
from nas.cli.metrics import format_metrics
from nas.program.program import Program
from nas.regular_file import check_target
from nas.runs.directory import read_class_names, read_preprocessing
from nas.runs.export import export
from nas.runs.formats import FORMATS, ExportFormat
from nas.runs.run_formats import RUN_FORMATS

if TYPE_CHECKING:
    from torch import Tensor

    from nas.measure.boards import Board
    from nas.measure.parity import Parity


def main(arguments: Sequence[str]) -> None:
    """Runs `nas export`."""
    parser = command_parser(
        "export",
        "Writes a trained candidate of a run as a file to ship, or all candidates for other tools.",
    )
    parser.add_argument("directory", type=Path, help="a run directory")
    parser.add_argument(
        "--id",
        help="the number of a candidate; best, the default; retrained, the best of those that the run trained again; "
        "or final, its final network",
    )
    parser.add_argument(
        "--to",
        choices=(*FORMATS, *RUN_FORMATS),
        default=next(iter(FORMATS)),
        help="of a candidate: "
        + "; ".join(f"{name}: {kind.help}" for name, kind in FORMATS.items())
        + ". Of the run: "
        + "; ".join(f"{name}: {kind.help}" for name, kind in RUN_FORMATS.items()),
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the file to write; of C, the folder",
    )
    parser.add_argument(
        "--class-names",
        action="store_true",
        help="a file with the names of the classes, which make it longer",
    )
    parser.add_argument(
        "--preprocessing",
        action="store_true",
        help="a packed file that says how raw values become its inputs, which makes it longer; files of other "
        "formats do anyway, where the data tells it",
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
    parser.add_argument(
        "--board",
        help="of C: a board on which it must fit, as an experiment takes it, such as uno or pico",
    )
    parser.add_argument(
        "--project",
        help="of C: the folder as a tool builds it: arduino, a sketch that blinks; esp-idf, a component; or "
        "zephyr, a module",
    )
    options, experiment = parse_with_experiment(parser, arguments, "retrain")
    data: str | None = options.compare_on
    if options.to in RUN_FORMATS:
        _refuse_options_of_a_candidate(parser, options)
        check_target(options.out)
        count = RUN_FORMATS[options.to].write(options.directory, options.out)
        print(f"{options.out}: {count:,} candidates of {options.directory}")
        return

    def samples(program: Program) -> "Tensor":
        # Here, because what reads data needs torch, and most exports do not.
        from nas.data.scored import load_scored

        assert data is not None
        shape, classes = program.tensors[0].shape, program.tensors[-1].size
        return load_scored(
            data,
            shape,
            classes,
            read_class_names(options.directory),
            preprocessing=read_preprocessing(options.directory),
        ).split.inputs

    exported = export(
        options.directory,
        options.id or "best",
        options.to,
        options.out,
        experiment,
        options.class_names,
        None if data is None else samples,
        None if options.board is None else _board(options.board),
        options.project,
        options.preprocessing,
    )
    evaluation = exported.evaluation
    print(f"{options.out}: candidate {evaluation.id}, {format_metrics(evaluation.metrics)}")
    on = "random inputs" if experiment is None else "validation samples"
    on = on if data is None else f"test samples of {data}"
    print(f"{options.out}: {_agreement(exported.parity, on, FORMATS[options.to])}")


def _refuse_options_of_a_candidate(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> None:
    stated = {
        "--id": options.id is not None,
        "--class-names": options.class_names,
        "--preprocessing": options.preprocessing,
        "--retrain": options.retrain is not None,
        "--compare-on": options.compare_on is not None,
        "--board": options.board is not None,
        "--project": options.project is not None,
    }
    if given := [option for option, is_stated in stated.items() if is_stated]:
        parser.error(
            f"--to {options.to} writes the whole run, but of one candidate alone are {', '.join(given)}: "
            f"leave them out, or choose one of {', '.join(FORMATS)}"
        )


def _board(name: str) -> "Board":
    # Here, because the package of costs needs torch.
    from nas.measure.boards import board

    return board(name)


def _agreement(parity: "Parity | None", on: str, to: ExportFormat) -> str:
    if parity is None:
        return f"not compared with the packed file: {to.unsaid}"
    rounded = ", whose sums are rounded twice," if to.rounding == "double" else ""
    against = f"compared with the packed file{rounded} on {parity.samples} {on}"
    figures = (
        f"{parity.differing:.2%} of logits differ, by {parity.steps:.3g} steps at most; "
        f"{parity.classes:.2%} of classes differ"
    )
    warning = "; NOT the same answers" if parity.classes else ""
    return f"{against}, {figures}{warning}"
