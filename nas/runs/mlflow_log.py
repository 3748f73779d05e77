"""A run in MLflow: its settings, its metrics by candidate, and its file (Zaharia et al., 2018)."""

import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.objective import Evaluation, Objective
from nas.runs.directory import packed_path, read_test_score
from nas.runs.journal import read_journal
from nas.runs.journal_format import objective_of, quality_of
from nas.runs.recommended import recommended
from nas.runs.settings import settings_of
from nas.standing import Standing

if TYPE_CHECKING:
    from mlflow.entities import Metric

LONGEST_VALUE, LONGEST_NAME = 500, 250
"""What stores of MLflow take of a parameter."""
MOST_PARAMETERS, MOST_METRICS = 100, 1000
"""How many they take at a time."""


@dataclass(frozen=True)
class MlflowStore:
    """An experiment in a store of MLflow, to log runs to; `client` is an `MlflowClient`."""

    client: Any
    experiment: str

    def log(self, out: Path) -> str:
        """Logs the run in `out` as one of MLflow's, and returns its id.

        Parameters are the settings of the run, and `design.` and its choices those of the network that it
        recommends. `candidate/` metrics have the number of the candidate as step, `best/` ones that at which
        they changed, `network/` ones are of the network, whose packed file is the artifact.

        Raises:
            RunDirectoryError: if there is no journal in `out`, or it is damaged.
            RuntimeError: if the store cannot be written.
        """
        from mlflow.entities import Metric, Param, RunStatus
        from mlflow.exceptions import MlflowException

        header, evaluations = read_journal(out)
        objective, now = objective_of(header), _milliseconds(time.time())
        network = recommended(out, evaluations, objective)
        settings, metrics = settings_of(header), [*_metrics(evaluations, objective)]
        if network is not None:
            of_network = dict(network.evaluation.metrics)
            quality = quality_of(header)
            tested = read_test_score(out, quality)
            if tested is not None and (tested[0], out) == (network.evaluation.id, network.folder):
                of_network[f"test_{quality}"] = tested[1]
            settings |= {f"design.{name}": str(o) for name, o in network.evaluation.design.items()}
            metrics += [
                Metric(f"network/{name}", value, now, 0) for name, value in of_network.items()
            ]
        parameters = [Param(_name(name), text[:LONGEST_VALUE]) for name, text in settings.items()]
        try:
            run = self.client.create_run(self.experiment, run_name=out.resolve().name).info.run_id
            for start in range(0, len(parameters), MOST_PARAMETERS):
                self.client.log_batch(run, params=parameters[start : start + MOST_PARAMETERS])
            for start in range(0, len(metrics), MOST_METRICS):
                self.client.log_batch(run, metrics=metrics[start : start + MOST_METRICS])
            if network is not None:
                path = packed_path(network.folder, network.evaluation.id)
                self.client.log_artifact(run, str(path))
            self.client.set_terminated(run, RunStatus.to_string(RunStatus.FINISHED))
        except MlflowException as error:
            raise RuntimeError(
                f"the run is in {out}, but MLflow has not taken it: {error}"
            ) from error
        return str(run)


def open_store(uri: str, name: str) -> MlflowStore:
    """The experiment `name` in the store or the server at `uri`, which is made if there is none.

    Raises:
        ValueError: if MLflow is not installed, or the store cannot be reached.
    """
    # It sends what is used to its makers unless told not to.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise ValueError(
            "a run is logged by MLflow, which must be installed: pip install 'compact-nas[mlflow]'"
        ) from error
    for logger in ("alembic", "mlflow"):  # they tell each step of making a store
        logging.getLogger(logger).setLevel(logging.WARNING)
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(name)
        return MlflowStore(client, found.experiment_id if found else client.create_experiment(name))
    except (MlflowException, ImportError, OSError) as error:
        raise ValueError(f"an MLflow store must be at {uri}, but {error}") from error


def _metrics(evaluations: Sequence[Evaluation], objective: Objective) -> "Iterator[Metric]":
    """What each candidate reached, and the best whenever there is another one."""
    from mlflow.entities import Metric

    standing = Standing(objective)
    for each in evaluations:
        standing.add(each)
        at = _milliseconds(time.time() if each.finished is None else each.finished)
        for name, value in each.metrics.items():
            yield Metric(_name(f"candidate/{name}"), value, at, each.id)
        if standing.best is each:
            for name, value in each.metrics.items():
                yield Metric(_name(f"best/{name}"), value, at, each.id)


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _name(text: str) -> str:
    """A text as MLflow takes names."""
    return re.sub(r"[^\w\-. /]", "_", text, flags=re.ASCII)[:LONGEST_NAME]
