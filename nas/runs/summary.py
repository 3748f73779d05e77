"""What a run has found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.objective import Evaluation, Objective, Status, best, hypervolume, nearest, pareto_front
from nas.runs import directory, journal, records
from nas.runs.records import objective_of

if TYPE_CHECKING:
    from nas.experiment import Experiment


BITS = (1, 2, 3, 4, 6, 8)


Layers = Mapping[str, Mapping[str, Any]]
"""For each layer its `bits` (None: those of no quantized layer), and the `accuracy` at each number
of them.
"""


def summary(out: Path) -> dict[str, Any]:
    """The best candidate, the Pareto front, its hypervolume and how many evaluations ended how.

    Raises:
        RunDirectoryError: if there is no journal in `out`, it is damaged, or its objective cannot
            judge what it holds.
    """
    header, evaluations = journal.read(out)
    try:
        found = _judged(evaluations, objective_of(header))
    except (KeyError, TypeError, ValueError) as error:
        raise directory.RunDirectoryError(
            f"{out} must hold an objective and all that it names, but judging gives {error!r}"
        ) from error
    tested = directory.read_test(out)
    if found["best"] is not None and tested is not None and tested[0] == found["best"]["id"]:
        found["test_accuracy"] = tested[1]
    return found


def _judged(evaluations: Sequence[Evaluation], objective: Objective) -> dict[str, Any]:
    leader = best(evaluations, objective)
    counts = Counter(evaluation.status for evaluation in evaluations)
    found: dict[str, Any] = {
        "best": None if leader is None else _candidate(leader),
        "pareto": [_candidate(evaluation) for evaluation in pareto_front(evaluations, objective)],
        "hypervolume": hypervolume(evaluations, objective),
        "counts": {status.value: counts[status] for status in Status},
    }
    if leader is None and (close := nearest(evaluations, objective)) is not None:
        found["nearest"] = _candidate(close)
    return found


def _candidate(evaluation: Evaluation) -> dict[str, Any]:
    told = records.to_json(evaluation)
    return {name: told[name] for name in ("id", "design", "status", "metrics")}


def layers_of_best(out: Path, experiment: "Experiment") -> Layers:
    """How much validation accuracy each layer of the best candidate costs at each number of bits,
    when it alone changes.

    Raises:
        ValueError: if nothing is within the budget, the experiment is not the run's, or the
            candidate's weights are damaged.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
    """
    from nas.measure.sensitivity import bit_widths, sensitivity
    from nas.runs.retrain import restored  # here, because the summary must not wait for torch

    header, evaluations = journal.read(out)
    leader = best(evaluations, objective_of(header))
    if leader is None:
        raise ValueError(f"the best of {out} must be within the budget, but nothing is")
    model = restored(experiment, out, leader)
    designed = bit_widths(model)
    table = sensitivity(model, experiment.task.validation, sorted({*BITS, *designed.values()}))
    return {
        name: {"bits": designed.get(name), "accuracy": dict(row)} for name, row in table.items()
    }
