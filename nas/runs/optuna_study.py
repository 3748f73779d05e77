"""All candidates of a run as a study of Optuna, which its dashboard opens."""

import json
import warnings
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from nas import durable
from nas.objective import Evaluation, Objective, Status
from nas.runs.journal import JOURNAL_NAME, read_journal
from nas.runs.journal_format import objective_of

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState

Option = str | float | int | bool | None


def write_study(out: Path, target: Path) -> int:
    """Writes the run `out` as an SQLite file with one study, called like the folder, and returns how
    many trials it has.

    Values are the metrics that the objective maximizes and minimizes, by name. Trained candidates of
    the most epochs are COMPLETE; FAILED ones are FAIL; those that were stopped, were over the budget or
    were trained for fewer epochs are PRUNED. `status`, `reason`, `epochs`, `seconds` and all metrics are attributes of
    a trial. Choices are categorical, with the options that occur in the run. A journal has durations and no
    times of day, so trials begin one after the other, the last of them ends when the journal was last written.

    Raises:
        ValueError: if Optuna is not installed.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
        OSError: if the file cannot be written.
    """
    try:
        import optuna
        from optuna.study import StudyDirection
    except ImportError as error:
        raise ValueError(
            "a study is written by Optuna, which must be installed: pip install 'compact-nas[optuna]'"
        ) from error
    header, evaluations = read_journal(out)
    objective = objective_of(header)
    trials = _trials(evaluations, objective, _times(out, evaluations))
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder, "study.db")
            storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
            study = optuna.create_study(
                storage=storage,
                study_name=out.resolve().name,
                directions=[
                    *(StudyDirection.MAXIMIZE for _ in objective.maximize),
                    *(StudyDirection.MINIMIZE for _ in objective.minimize),
                ],
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names([*objective.maximize, *objective.minimize])
            study.add_trials(trials)
            storage.remove_session()
            storage.engine.dispose()
            durable.write(target, path.read_bytes())
    finally:
        optuna.logging.set_verbosity(before)
    return len(trials)


def _trials(
    evaluations: Sequence[Evaluation], objective: Objective, times: Sequence[datetime]
) -> "list[FrozenTrial]":
    import optuna

    distributions = _distributions(evaluations)
    done = [each.fidelity for each in evaluations if each.status is Status.OK]
    most = max(done, default=0.0)
    trials = []
    for each, start in zip(evaluations, times, strict=True):
        state = _state(each, most)
        complete = state is optuna.trial.TrialState.COMPLETE
        wanted = (*objective.maximize, *objective.minimize)
        facts = {"status": each.status.value, "reason": each.reason, "epochs": each.epochs}
        chosen = {name: _option(option) for name, option in each.design.items()}
        trial = optuna.create_trial(
            state=state,
            values=[each.metrics[name] for name in wanted] if complete else None,
            params=chosen,
            distributions={name: distributions[name] for name in chosen},
            user_attrs={**facts, "seconds": each.seconds, **each.metrics},
        )
        trial.datetime_start = start
        trial.datetime_complete = start + timedelta(seconds=each.seconds)
        trials.append(trial)
    return trials


def _state(evaluation: Evaluation, most: float) -> "TrialState":
    from optuna.trial import TrialState

    if evaluation.status is Status.FAILED:
        return TrialState.FAIL
    full = evaluation.status is Status.OK and evaluation.fidelity == most
    return TrialState.COMPLETE if full else TrialState.PRUNED


def _times(out: Path, evaluations: Sequence[Evaluation]) -> list[datetime]:
    """When each evaluation began, as if they had come without a pause."""
    written = datetime.fromtimestamp((out / JOURNAL_NAME).stat().st_mtime)
    start, times = written - timedelta(seconds=sum(e.seconds for e in evaluations)), []
    for each in evaluations:
        times.append(start)
        start += timedelta(seconds=each.seconds)
    return times


def _distributions(evaluations: Sequence[Evaluation]) -> "Mapping[str, BaseDistribution]":
    from optuna.distributions import CategoricalDistribution

    options = dict[str, dict[Option, None]]()
    for each in evaluations:
        for name, option in each.design.items():
            options.setdefault(name, {})[_option(option)] = None
    return {name: CategoricalDistribution(_ordered([*found])) for name, found in options.items()}


def _ordered(options: list[Option]) -> list[Option]:
    """Numbers by size, others as they came."""
    numbers = [option for option in options if isinstance(option, (int, float))]
    return [*sorted(numbers)] if len(numbers) == len(options) else options


def _option(option: Hashable) -> Option:
    """Lists, which a dashboard would not show, become texts."""
    if option is None or isinstance(option, (str, int, float, bool)):
        return option
    return json.dumps(option) if isinstance(option, (list, tuple)) else repr(option)
