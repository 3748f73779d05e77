"""`nas score`: the size and the test accuracy of a packed file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.cli.command_parser import command_parser
from nas.data.load import load_test_split
from nas.packed import unpack
from nas.program import score


def main(arguments: Sequence[str]) -> None:
    """Runs `nas score`."""
    parser = command_parser("score", "The size and the test accuracy of a packed file.")
    parser.add_argument("file", type=Path, help="a packed file")
    parser.add_argument(
        "--data",
        default="digits",
        help="digits, a folder of MNIST's or CIFAR-10's files or of images, or an .npz archive",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    options = parser.parse_args(arguments)
    found = score_file(options.file, options.data)
    if options.json:
        print(json.dumps(found))
    else:
        size, accuracy, samples = (found[name] for name in ("bytes", "accuracy", "samples"))
        print(f"{options.file}: {size} bytes, accuracy {accuracy:.4f} on {samples} samples")


def score_file(file: Path, data: str) -> Mapping[str, Any]:
    """`bytes`, `accuracy` and the number of `samples` of a packed file on the test split of `data`.

    Raises:
        ArtifactError: if the file is damaged.
        ValueError: if the samples do not have the shape of the program's input.
    """
    packed = file.read_bytes()
    program = unpack(packed)
    shape = program.tensors[0].shape
    split = load_test_split(data, shape)
    found = tuple(split.inputs.shape[1:])
    if found != shape:
        raise ValueError(f"samples must be {shape} for {file}, but those of {data} are {found}")
    return {"bytes": len(packed), "accuracy": score(program, split), "samples": len(split.labels)}
