"""Options of `nas run`: where candidates are evaluated, and for how long."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nas.cli.experiment_options import ExperimentParser, load_function, parse_experiment
from nas.executors import Executor, InProcess, LocalProcesses
from nas.executors.local_processes import cores
from nas.experiment import Experiment


@dataclass(frozen=True)
class CommandLine:
    """Makes the experiment of a command line in another process: `source` and `arguments` as `nas run`
    was given them, in the directory `folder`.
    """

    source: str
    arguments: tuple[str, ...]
    prog: str
    folder: Path

    def __call__(self) -> Experiment:
        """The experiment."""
        os.chdir(self.folder)
        function = load_function(self.source)
        return parse_experiment(function, self.arguments, self.prog, add_execution_options)[0]


def add_execution_options(parser: ExperimentParser) -> None:
    """Adds the options to a parser."""
    parser.hints |= {"executor": Literal["local", "in-process"], "workers": int | None}
    parser.hints |= dict.fromkeys(("trial_minutes", "minutes"), float | None)
    parser.add_argument(
        "--executor",
        type=Literal["local", "in-process"],
        default="local",
        help="where candidates are evaluated: in processes of this machine, which a bad candidate ends alone, "
        "or all in this one, to debug",
    )
    parser.add_argument(
        "--workers",
        type=int | None,
        help="how many local processes there are; as many as cores, but no more than the window of the "
        "experiment, if none are stated. Results do not depend on it",
    )
    parser.add_argument(
        "--trial-minutes",
        type=float | None,
        help="a candidate that takes longer has failed; 20 times the median of others, but at least 5 minutes, "
        "if none are stated, and 6 hours for the first ones",
    )
    parser.add_argument(
        "--minutes",
        type=float | None,
        help="the search ends after so many, when the candidates in hand are done; the same command continues it",
    )


def executor_of(values: dict[str, Any], window: int) -> tuple[Executor, str]:
    """The executor that the options describe for a search with this window, and a remark for the user,
    often empty.

    Raises:
        ValueError: if `workers` is below 1, or stated without processes.
    """
    kind, workers = values["executor"], values["workers"]
    if kind == "in-process":
        if workers not in (None, 1):
            raise ValueError(f"workers must be left out in-process, but got {workers}")
        return InProcess(), ""
    if workers is None:
        return LocalProcesses(min(cores(), window)), ""
    executor = LocalProcesses(workers)
    if workers <= window:
        return executor, ""
    return (
        LocalProcesses(window),
        f"{window} of {workers} workers are used: the window of the experiment is {window}, which its results depend on",
    )
