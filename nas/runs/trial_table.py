"""All candidates of a run as a table of comma-separated values (RFC 4180)."""

import csv
import io
import json
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

from nas import durable
from nas.objective import Evaluation
from nas.runs.journal import read_journal

_FACTS = ("number", "status", "reason", "epochs", "seconds")
_FORMULAS = "=", "+", "-", "@"
"""What formulas of spreadsheets begin with."""


def write_trial_table(out: Path, target: Path) -> int:
    """Writes a line for each candidate of the run `out` to `target`, and returns how many there are.

    Columns are `number`, `status`, `reason`, `epochs` (empty: the recipe's), `seconds`, one for each
    metric, by its name, and one for each choice, `design.` and its name. A cell is empty where a
    metric was not measured or a choice was not active. Line breaks within texts become spaces,
    and a text that a spreadsheet would run as a formula has an apostrophe before it.

    Raises:
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
        OSError: if the file cannot be written.
    """
    evaluations = read_journal(out)[1]
    metrics = dict.fromkeys(name for each in evaluations for name in each.metrics)
    choices = dict.fromkeys(name for each in evaluations for name in each.design)
    written = io.StringIO(newline="")
    table = csv.writer(written)
    table.writerow([*_FACTS, *metrics, *(_one_line(f"design.{name}") for name in choices)])
    for each in evaluations:
        measured = [each.metrics.get(name, "") for name in metrics]
        chosen = [_cell(each.design[name]) if name in each.design else "" for name in choices]
        table.writerow([*_facts(each), *measured, *chosen])
    durable.write(target, written.getvalue().encode(errors="replace"))
    return len(evaluations)


def trial_rows(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """The same as dictionaries with values as they are, and None for an empty cell."""
    metrics = dict.fromkeys(name for each in evaluations for name in each.metrics)
    choices = dict.fromkeys(name for each in evaluations for name in each.design)
    return [
        {
            "number": each.id,
            "status": each.status.value,
            "reason": each.reason,
            "epochs": each.epochs,
            "seconds": each.seconds,
            **{name: each.metrics.get(name) for name in metrics},
            **{f"design.{name}": each.design.get(name) for name in choices},
        }
        for each in evaluations
    ]


def _facts(evaluation: Evaluation) -> list[str | float]:
    epochs = "" if evaluation.epochs is None else evaluation.epochs
    reason = _one_line(evaluation.reason)
    return [evaluation.id, evaluation.status.value, reason, epochs, evaluation.seconds]


def _cell(option: Hashable) -> str:
    """Texts as they are, lists as JSON, and the rest as Python writes it."""
    return _one_line(json.dumps(option) if isinstance(option, (list, tuple)) else str(option))


def _one_line(text: str) -> str:
    line = " ".join(text.splitlines())
    # A spreadsheet would run it.
    return f"'{line}" if line.startswith(_FORMULAS) and not _is_number(line) else line


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
