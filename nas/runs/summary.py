"""What a run has found so far, as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.file_length import rms_error
from nas.objective import (
    Evaluation,
    Objective,
    Status,
    best,
    hypervolume,
    nearest_to_budget,
    pareto_front,
)
from nas.runs.directory import RunDirectoryError, read_test_score
from nas.runs.final import read_final
from nas.runs.finalists import chosen, read_chosen_test_score, read_retrained
from nas.runs.journal import read_journal
from nas.runs.journal_format import Header, evaluation_to_json, objective_of, quality_of
from nas.runs.reasons import reasons
from nas.runs.teacher_score import read_teacher

# Imports that need torch are made where they are needed: a summary does not.
if TYPE_CHECKING:
    from nas.experiment import Experiment

BIT_WIDTHS = (1, 2, 3, 4, 6, 8)

LayerSensitivities = Mapping[str, Mapping[str, Any]]
"""For each layer its `bits` in the candidate (None: not quantized), and at each bit-width the
`size_bytes` of its coded weights, the `divergence` of the output in nats, and the `accuracy`.
"""


def summary(out: Path) -> dict[str, Any]:
    """What `summary_of` finds in the journal of the run directory `out`.

    Raises:
        RunDirectoryError: as there, or if there is no journal, or a damaged one.
    """
    return summary_of(out, *read_journal(out))


def summary_of(out: Path, header: Header, evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """The best candidate, the Pareto front, its hypervolume and the number of evaluations of each
    status.

    `nearest` is there if no candidate meets the budget, and `test_accuracy` if the best candidate
    was scored on test data. `retrained` is there if candidates were trained again: for each its
    `search_accuracy`, and status and metrics of the second training. `chosen` is then the best by
    that (None: none met the budget), and `chosen_test_accuracy` its test accuracy. `final` is there
    if there is a final network: its `reason` and `epochs` too, and metrics with `test_accuracy`.
    Where networks are compared by another metric of `quality`, it stands for the accuracy in all these
    names, and there is its name. `teacher` is there if one taught: its validation `accuracy`, or the
    metric of a curve, `params`, and their `float_bytes`.
    `reasons` is there if candidates failed, or were over budget once they were trained.
    `size_prediction` is there if sizes were predicted: for how many `files`, and the `error`, the root
    mean square of the logarithms of length over prediction.

    Raises:
        RunDirectoryError: if another file in `out` is damaged, or the objective does not suit the
            evaluations.
    """
    try:
        found = _summarize(evaluations, objective_of(header))
    except (KeyError, TypeError, ValueError) as error:
        raise RunDirectoryError(
            f"{out} must hold an objective and all metrics that it names, but judging gives {error!r}"
        ) from error
    quality = quality_of(header)
    if quality != "accuracy":
        found["quality"] = quality
    tested = read_test_score(out, quality)
    if found["best"] is not None and tested is not None and tested[0] == found["best"]["id"]:
        found[f"test_{quality}"] = tested[1]
    if teacher := read_teacher(out):
        found["teacher"] = dict(teacher)
    if retrained := read_retrained(out):
        found |= _second_training(out, retrained, evaluations, objective_of(header), quality)
    if final := read_final(out):
        found["final"] = {**_candidate(final), "reason": final.reason, "epochs": final.epochs}
    return found


def _second_training(
    out: Path,
    retrained: Sequence[Evaluation],
    evaluations: Sequence[Evaluation],
    objective: Objective,
    quality: str,
) -> dict[str, Any]:
    choice = chosen(retrained, objective)
    in_search = {each.id: each.metrics.get(quality) for each in evaluations}
    found: dict[str, Any] = {
        "retrained": [
            {**_candidate(each), f"search_{quality}": in_search.get(each.id)} for each in retrained
        ],
        "chosen": None if choice is None else choice.id,
    }
    tested = read_chosen_test_score(out, choice, quality)
    return found if tested is None else {**found, f"chosen_test_{quality}": tested}


def _summarize(evaluations: Sequence[Evaluation], objective: Objective) -> dict[str, Any]:
    front = pareto_front(evaluations, objective)
    leader = next(iter(front), None)  # what `best` gives, without judging all again
    counts = Counter(evaluation.status for evaluation in evaluations)
    found: dict[str, Any] = {
        "best": None if leader is None else _candidate(leader),
        "pareto": [_candidate(evaluation) for evaluation in front],
        "hypervolume": hypervolume(evaluations, objective),
        "counts": {status.value: counts[status] for status in Status},
    }
    if reasons_found := reasons(evaluations):
        found["reasons"] = [asdict(reason) for reason in reasons_found]
    if lengths := [each.file_length for each in evaluations if each.file_length is not None]:
        found["size_prediction"] = {"files": len(lengths), "error": rms_error(lengths)}
    if leader is None:
        nearest = nearest_to_budget(evaluations, objective)
        if nearest is not None:
            found["nearest"] = _candidate(nearest)
    return found


def _candidate(evaluation: Evaluation) -> dict[str, Any]:
    content = evaluation_to_json(evaluation)
    return {name: content[name] for name in ("id", "design", "status", "metrics")}


def sensitivities_of_best(out: Path, experiment: "Experiment") -> LayerSensitivities:
    """What the best candidate is on the validation split when one layer alone has other bits, as
    `sensitivity` measures it.

    Raises:
        ValueError: if no candidate is within the budget, the experiment is not the run's, or of a
            regression, or the candidate's weights are damaged.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
    """
    from nas.measure.sensitivity import bit_widths, sensitivity
    from nas.runs.retrain import restored

    header, evaluations = read_journal(out)
    leader = best(evaluations, objective_of(header))
    if experiment.task.kind == "regression":
        raise ValueError(f"sensitivities must be those of classes, but {out} is a regression")
    if leader is None:
        raise ValueError(f"the best of {out} must be within the budget, but nothing is")
    model = restored(experiment, out, leader)
    bits = bit_widths(model)
    widths = sorted({*BIT_WIDTHS, *bits.values()})
    table = sensitivity(model, experiment.task.validation, widths)
    return {
        layer: {
            "bits": bits.get(layer),
            **{
                name: {width: getattr(found, name) for width, found in row.items()}
                for name in ("size_bytes", "divergence", "accuracy")
            },
        }
        for layer, row in table.items()
    }
