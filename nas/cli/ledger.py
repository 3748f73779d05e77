"""`nas ledger`: what each byte of a packed file is for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from nas.cli.command_parser import command_parser
from nas.packed import MAX_FILE, ledger
from nas.packed.drawn_layers import DrawnFile, read_layers
from nas.regular_file import read_regular
from nas.runs.directory import WEIGHTS_FOLDER


def main(arguments: Sequence[str]) -> None:
    """Runs `nas ledger`."""
    parser = command_parser(
        "ledger",
        "Lists what each byte of a packed file is for, layer by layer. The layers of a file in its run "
        "directory have the names of the network's modules.",
    )
    parser.add_argument("file", type=Path, help="a packed file")
    parser.add_argument("--json", action="store_true", help="rows of layer, purpose and bytes")
    options = parser.parse_args(arguments)
    packed = read_regular(options.file, MAX_FILE)
    if options.json:
        print(json.dumps([asdict(entry) for entry in ledger(packed)]))
        return
    weights = options.file.resolve().parents[1] / WEIGHTS_FOLDER / f"{options.file.stem}.npz"
    print("\n".join(ledger_lines(read_layers(packed, weights))))


def ledger_lines(file: DrawnFile) -> list[str]:
    """A line with the sum of each layer, its share and the bits of its weights, and below it one for each
    purpose; the last is of the whole file.
    """
    lines = [f"{'bytes':>9}  {'share':>6}  bits  layer"]
    for layer in file.layers:
        bits = "" if layer.weight_bits is None else str(layer.weight_bits)
        share = f"{layer.total / file.total:.1%}"
        lines.append(f"{layer.total:>9}  {share:>6}  {bits:>4}  {layer.label}, {layer.operator}")
        lines += _purposes(layer.bytes)
    rest = sum(file.rest.values())
    lines.append(f"{rest:>9}  {rest / file.total:>6.1%}  {'':>4}  file")
    return [*lines, *_purposes(file.rest), f"{file.total:>9}  in all"]


def _purposes(spent: Mapping[str, int]) -> list[str]:
    return [f"{count:>9}  {'':>12}    {purpose}" for purpose, count in spent.items()]
