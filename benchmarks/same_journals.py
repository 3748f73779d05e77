"""Compares the journals of all run directories below two folders, times aside.

Equal seeds must give equal journals: this checks that a change of the code has changed no search.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nas.runs.journal import JOURNAL_NAME, read_journal


def difference(first: Path, second: Path) -> str:
    """How the journals of two run directories differ; empty if only in times."""
    for out in (first, second):
        if not (out / JOURNAL_NAME).is_file():
            return f"{out} holds no journal"
    one, other = _untimed(first), _untimed(second)
    for number, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            line = "the header" if number == 0 else f"evaluation {number - 1}"
            return f"{line} differs in {', '.join(_differing(left, right))}"
    if len(one) != len(other):
        return f"{len(one) - 1} and {len(other) - 1} evaluations"
    return ""


def _untimed(out: Path) -> list[dict[str, Any]]:
    """The header and the evaluations, without when and how long they were made."""
    header, evaluations = read_journal(out)
    return [dict(header), *(asdict(e) | {"seconds": 0.0, "finished": None} for e in evaluations)]


def _differing(left: dict[str, Any], right: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted names of what differs in two nested dictionaries."""
    for name in sorted(left.keys() | right.keys()):
        one, other = left.get(name), right.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _differing(one, other, f"{prefix}{name}.")
        elif one != other:
            yield f"{prefix}{name}"


def run_directories(*folders: Path) -> list[Path]:
    """The run directories below any of some folders, relative to it."""
    return sorted(
        {
            journal.parent.relative_to(folder)
            for folder in folders
            for journal in folder.rglob(JOURNAL_NAME)
        }
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a row for each run directory; the program ends with status 1 if one differs, and 2 if
    there is none.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path, help="a folder of run directories, or one of them")
    parser.add_argument("second", type=Path, help="another such folder")
    options = parser.parse_args(arguments)
    runs = run_directories(options.first, options.second)
    if not runs:
        parser.error(f"there must be a run directory below {options.first} or {options.second}")
    differences = {run: difference(options.first / run, options.second / run) for run in runs}
    for run, text in differences.items():
        print(f"{run!s:<40} {text or 'same'}")
    if any(differences.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
