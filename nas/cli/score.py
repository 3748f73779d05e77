"""`nas score`: the size and the accuracy of a packed file, and what it was scored on."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from nas.cli.command_parser import command_parser
from nas.data.scored import held_out, load_scored
from nas.packed import MAX_FILE, class_names, preprocessing, unpack
from nas.program import Program, qualities
from nas.program.rounding import ROUNDINGS, Rounding
from nas.quality import KINDS, QUALITIES, TaskKind
from nas.regular_file import read_regular
from nas.runs.directory import read_class_names, read_preprocessing
from nas.runs.journal import JOURNAL_NAME, read_journal
from nas.runs.journal_format import quality_of, task_kind_of

MANY_CLIPPED = 0.05
"""From such a share of clipped values on, people are asked whether they are scaled as in training."""


def main(arguments: Sequence[str]) -> None:
    """Runs `nas score`."""
    parser = command_parser(
        "score", "The size and the accuracy of a packed file, and what it was scored on."
    )
    parser.add_argument("file", type=Path, help="a packed file")
    parser.add_argument(
        "--data",
        default="digits",
        help="digits, a folder of MNIST's or CIFAR's files, of images or of recordings, a CSV file, or an .npz archive",
    )
    parser.add_argument(
        "--run",
        type=Path,
        metavar="DIRECTORY",
        help="the run that the file comes from, where the file does not lie in it: the names of its "
        "classes are those of folders of images, and of data without a test part the part is scored "
        "that the search held out",
    )
    parser.add_argument(
        "--rounding",
        choices=ROUNDINGS,
        help="how the runtime rounds: single, as LiteRT and ONNX Runtime, or double, as TensorFlow Lite "
        "Micro and CMSIS-NN; by default as the run's candidates were scored, or single",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    options = parser.parse_args(arguments)
    found = score_file(options.file, options.data, options.run, options.rounding)
    if options.json:
        print(json.dumps(found))
    else:
        size, samples, what = (found[name] for name in ("bytes", "samples", "scored"))
        told = ", ".join(f"{name} {found[name]:.4f}" for name in QUALITIES if name in found)
        print(f"{options.file}: {size} bytes, {told} on {samples} samples: {what}")
        if found["clipped"] > MANY_CLIPPED:
            print(
                f"{found['clipped']:.0%} of the values lie outside of what the file reads: were they scaled as in training?"
            )


def score_file(
    file: Path, data: str, run: Path | None = None, rounding: Rounding | None = None
) -> Mapping[str, Any]:
    """`bytes`, `accuracy` and the number of `samples` of a packed file on the test part of `data`, and
    a phrase for what was `scored`. `clipped` is the share of values, 0 to 1, outside of the range that the
    program was calibrated on. With a run there are the metrics of quality that its kind of task always
    has and its objective names; without one, a single output is that of a binary task.

    Raw values become inputs as the file says, or else as the run does. `run` is the directory of the run
    that the file comes from (None: the one in which it lies, if it lies in one), and `rounding` how the
    runtime rounds (None: as for the run's candidates, or once).

    Raises:
        ArtifactError: if the file is damaged.
        ValueError: if the samples do not have the shape of the program's input, or labels or folders
            are not those of its classes.
        RunDirectoryError: if `run` is no run directory, or it is damaged.
    """
    packed = read_regular(file, MAX_FILE)
    program, out = unpack(packed), run or _run_of(file)
    names = class_names(packed) or (None if out is None else read_class_names(out))
    shape, classes = program.tensors[0].shape, program.tensors[-1].size
    if names is not None and len(names) != max(2, classes):
        raise ValueError(
            f"{file} must have the {len(names)} classes of {out}, but has {classes}: is it of another run?"
        )
    prepared = preprocessing(packed) or (None if out is None else read_preprocessing(out))
    found, named = None, ("accuracy",)
    kind: TaskKind = "binary" if classes == 1 else "classification"
    if out is not None:
        header = read_journal(out)[0]
        kind, named = task_kind_of(header), (quality_of(header),)
        experiment = header["experiment"]
        rounding = rounding or experiment.get("rounding")
        found = held_out(data, experiment["task"]["digest"], kind)
    if found is None:
        found = load_scored(data, shape, max(2, classes), names, kind, prepared)
    split, subject = found.split, f"the samples of {data}"
    measured = KINDS[kind].measured(named)
    return {
        "bytes": len(packed),
        **qualities(program, split, measured, kind, subject, rounding=rounding or "single"),
        "samples": len(split.labels),
        "scored": found.what,
        "clipped": _clipped(program, split.inputs),
    }


def _clipped(program: Program, inputs: Tensor) -> float:
    first = program.tensors[0]
    levels = inputs / first.scale + first.zero
    # Less than a step beyond the last levels is no loss.
    return float(((levels < -1) | (levels > first.top + 1)).double().mean())


def _run_of(file: Path) -> Path | None:
    """The run directory in which a packed file lies, its own or one of those within it."""
    folders = file.resolve().parents[1:3]
    return next((folder for folder in folders if (folder / JOURNAL_NAME).is_file()), None)
