"""`nas score`: the bytes and the test accuracy of a packed file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.cli.arguments import parser
from nas.data.load import test_split
from nas.packed import unpack
from nas.program import score


def main(arguments: Sequence[str]) -> None:
    """`nas score FILE [--data DATA] [--json]`."""
    known = parser("score", "The length of a packed file, and its accuracy on test data.")
    known.add_argument("file", type=Path, help="a packed file")
    known.add_argument(
        "--data",
        default="digits",
        help="digits, a folder of IDX files, of CIFAR-10 or of images, or an .npz",
    )
    known.add_argument("--json", action="store_true", help="one JSON object instead of text")
    options = known.parse_args(arguments)
    found = scored(options.file, options.data)
    text = f"{options.file}: {found['bytes']} bytes, accuracy {found['accuracy']:.4f} on {found['samples']} samples"
    print(json.dumps(found) if options.json else text)


def scored(file: Path, data: str) -> Mapping[str, Any]:
    """The length of a packed file, and its accuracy on the test samples of `data`.

    Raises:
        ArtifactError: if the file is damaged.
        ValueError: if the samples do not have the shape of its input.
    """
    packed = file.read_bytes()
    program = unpack(packed)
    wanted = program.tensors[0].shape
    split = test_split(data, wanted)
    found = tuple(split.inputs.shape[1:])
    if wanted != found:
        raise ValueError(f"samples must be {wanted} for {file}, but those of {data} are {found}")
    return {"bytes": len(packed), "accuracy": score(program, split), "samples": len(split.labels)}
