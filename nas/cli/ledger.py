"""`nas ledger`: what each byte of a packed file is for."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from nas.cli.command_parser import command_parser
from nas.packed import MAX_FILE, ledger
from nas.regular_file import read_regular


def main(arguments: Sequence[str]) -> None:
    """Runs `nas ledger`."""
    parser = command_parser("ledger", "Lists what each byte of a packed file is for.")
    parser.add_argument("file", type=Path, help="a packed file")
    parser.add_argument("--json", action="store_true", help="rows of layer, purpose and bytes")
    options = parser.parse_args(arguments)
    rows = [asdict(entry) for entry in ledger(read_regular(options.file, MAX_FILE))]
    if options.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['bytes']:>9}  {row['layer'] or 'file':<16} {row['purpose']}")
    print(f"{sum(row['bytes'] for row in rows):>9}  in all")
