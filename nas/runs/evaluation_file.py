"""Evaluations in files of their own, beside the journal."""

import json
from pathlib import Path

from nas import durable
from nas.objective import Evaluation
from nas.runs.directory import RunDirectoryError
from nas.runs.journal_format import evaluation_from_json, evaluation_to_json


def write_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Writes an evaluation as JSON."""
    durable.write(path, json.dumps(evaluation_to_json(evaluation), indent=2).encode())


def read_evaluation(path: Path) -> Evaluation:
    """The inverse of `write_evaluation`, but for options that JSON lacks.

    Raises:
        RunDirectoryError: if the file is damaged.
        OSError: if it cannot be read.
    """
    try:
        return evaluation_from_json(json.loads(path.read_bytes()))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise RunDirectoryError(
            f"{path} must hold an evaluation, but is damaged: remove it to train that candidate again"
        ) from error
