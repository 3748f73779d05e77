"""The formats of whole runs, with all their candidates; `nas.runs.formats` has those of one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nas.runs.optuna_study import write_study
from nas.runs.parquet_table import write_parquet
from nas.runs.trial_table import write_trial_table


@dataclass(frozen=True)
class RunFormat:
    """A format of a whole run: a phrase for the help text, and what writes a run directory to a path
    and returns the number of candidates.
    """

    help: str
    write: Callable[[Path, Path], int]


RUN_FORMATS: Mapping[str, RunFormat] = {
    "csv": RunFormat("all candidates as comma-separated values, a line each", write_trial_table),
    "parquet": RunFormat("the same as a Parquet file, whose columns have types", write_parquet),
    "optuna": RunFormat(
        "all candidates as a study in an SQLite file, for optuna-dashboard", write_study
    ),
}
"""All formats of runs, by their name on the command line."""
