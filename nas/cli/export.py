"""`nas export`: a candidate of a run as a file to ship."""

from collections.abc import Sequence
from pathlib import Path

from nas.cli.arguments import parser, with_experiment
from nas.cli.show import format_metrics
from nas.runs.export import FORMATS, export


def main(arguments: Sequence[str]) -> None:
    """`nas export DIRECTORY --out FILE [--id ID] [--to FORMAT] [--retrain FILE.py[:FUNCTION] [options]]`."""
    known = parser("export", "A trained candidate of a run as a file to ship.")
    known.add_argument("directory", type=Path, help="a run directory")
    known.add_argument("--id", default="best", help="the number of a candidate, or best")
    formats = "the packed file, the same program as ONNX, or weights as safetensors"
    known.add_argument("--to", choices=FORMATS, default=FORMATS[0], help=formats)
    known.add_argument("--out", type=Path, required=True, help="the file to write")
    retrain = "the experiment by which to train it anew; options of it follow"
    known.add_argument("--retrain", metavar="FILE.py[:FUNCTION]", help=retrain)
    options, experiment = with_experiment(known, arguments, "retrain")
    evaluation = export(options.directory, options.id, options.to, options.out, experiment)
    print(f"{options.out}: candidate {evaluation.id}, {format_metrics(evaluation.metrics)}")
