"""Options of `nas run`: where candidates are evaluated, for how long, and where that is told."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nas.cli.experiment_options import ExperimentParser, load_function, parse_experiment
from nas.executors import Executor, InProcess, LocalProcesses, RayTasks, SubmititJobs
from nas.executors.local_processes import cores
from nas.experiment import Experiment

Name = Literal["local", "in-process", "submitit", "ray"]
JOBS_FOLDER = "jobs"
"""The folder of a run directory with what submitit sends and what jobs print."""


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
    parser.hints |= {"executor": Name, "workers": int | None, "address": str | None}
    parser.hints |= dict.fromkeys(("trial_minutes", "minutes"), float | None)
    parser.add_argument(
        "--executor",
        type=Name,
        default="local",
        help="where candidates are evaluated: in processes of this machine, which a bad candidate ends alone; "
        "all in this one, to debug; in jobs of Slurm, by submitit, which variables such as SBATCH_PARTITION "
        "are for; or in tasks of Ray",
    )
    parser.add_argument(
        "--address",
        type=str | None,
        help="the cluster of --executor ray, auto or ray://…; if none is stated, Ray is started on this machine",
    )
    parser.add_argument(
        "--workers",
        type=int | None,
        help="how many candidates are evaluated at a time; as many as cores, on a cluster as the window of the "
        "experiment, and never more than that, if none are stated. Results do not depend on it",
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
    parser.hints |= {"verbose": bool, "mlflow": str | None}
    parser.add_argument(
        "--verbose",
        type=bool,
        default=False,
        help="a line for each candidate, with what it reached or why it did not",
    )
    parser.add_argument(
        "--mlflow",
        type=str | None,
        metavar="URI",
        help="a store of MLflow that the run is logged to when it ends, such as sqlite:///mlflow.db, or a server, "
        "http://…: settings, metrics, and the file of the network",
    )


def executor_of(values: dict[str, Any], window: int, out: Path) -> tuple[Executor, str]:
    """The executor that the options describe for a search with this window in the run directory `out`,
    and a remark for the user, often empty.

    Raises:
        ValueError: if `workers` is below 1, or stated without processes, or an address is stated
            without Ray.
    """
    kind, workers, address = values["executor"], values["workers"], values["address"]
    if address is not None and kind != "ray":
        raise ValueError(f"an address is that of --executor ray, but the executor is {kind}")
    if kind == "in-process":
        if workers not in (None, 1):
            raise ValueError(f"workers must be left out in-process, but got {workers}")
        return InProcess(), ""
    if workers is None:
        workers = min(cores(), window) if kind == "local" else window
    used = min(workers, window)
    executors: dict[str, Callable[[], Executor]] = {
        "local": lambda: LocalProcesses(used),
        "ray": lambda: RayTasks(used, address),
        "submitit": lambda: SubmititJobs(out.resolve() / JOBS_FOLDER, used),
    }
    remark = f"{window} of {workers} workers are used: the window of the experiment is {window}, which its results depend on"
    return executors[kind](), remark if workers > window else ""
