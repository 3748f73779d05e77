"""The best candidates of a search, trained again with another seed.

The best of many candidates is in part the luckiest, so that its validation accuracy in the search is
too high: the winner's curse. The accuracies of a second training are not chosen by.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas import durable
from nas.objective import Evaluation, Objective, best, best_few
from nas.runs.directory import (
    PACKED_FOLDER,
    RETRAINED_FOLDER,
    WEIGHTS_FOLDER,
    RunDirectoryError,
    packed_path,
    read_test_accuracy,
    write_test_accuracy,
)
from nas.runs.journal_format import evaluation_from_json, evaluation_to_json
from nas.seeds import derive
from nas.strategy import Proposal

# Summaries read what was retrained without torch.
if TYPE_CHECKING:
    from nas.evaluation.evaluator import Evaluator


def read_retrained(out: Path) -> list[Evaluation]:
    """The evaluations of the candidates that were trained again, by the ids they have in the search.

    Raises:
        RunDirectoryError: if a file is damaged.
    """
    return [_read(path) for path in sorted((out / RETRAINED_FOLDER).glob("[0-9]*.json"))]


def chosen(retrained: Sequence[Evaluation], objective: Objective) -> Evaluation | None:
    """The best of the candidates by their second training; None if none of them is within the
    budget.
    """
    return best(retrained, objective)


def read_chosen_test_accuracy(out: Path, choice: Evaluation | None) -> float | None:
    """The test accuracy of what `chosen` gives; None if it was not scored.

    Raises:
        RunDirectoryError: if the file is damaged.
    """
    stored = read_test_accuracy(out / RETRAINED_FOLDER)
    return None if stored is None or choice is None or stored[0] != choice.id else stored[1]


def retrain_best(
    evaluator: "Evaluator",
    evaluations: Sequence[Evaluation],
    objective: Objective,
    count: int,
    out: Path,
) -> tuple[Evaluation, ...]:
    """Trains the `count` best of the evaluations again in the run directory `out`, for all epochs of
    the recipe, with a seed derived from that of `evaluator`, and scores the chosen one on test data.

    Candidates that were trained again before are not trained a third time. Returns all that were.
    """
    # Here, because summaries of a run need no torch.
    from nas.evaluation.coded_size import ANY_SIZE
    from nas.packed import unpack
    from nas.program import score
    from nas.runs.resume import save_candidate

    folder = out / RETRAINED_FOLDER
    again = replace(evaluator, seed=derive(evaluator.seed, "retrain"))
    for candidate in best_few(evaluations, objective, count):
        if _path(folder, candidate.id).exists():
            continue
        for part in (WEIGHTS_FOLDER, PACKED_FOLDER):
            (folder / part).mkdir(parents=True, exist_ok=True)
        evaluation, trained = again(candidate.id, Proposal(candidate.genotype), prediction=ANY_SIZE)
        if trained is not None:
            save_candidate(trained, folder, candidate.id)
        content = json.dumps(evaluation_to_json(evaluation), indent=2)
        durable.write(_path(folder, candidate.id), content.encode())
    retrained = read_retrained(out)
    choice = chosen(retrained, objective)
    if choice is not None and read_chosen_test_accuracy(out, choice) is None:
        program = unpack(packed_path(folder, choice.id).read_bytes())
        write_test_accuracy(folder, choice.id, score(program, evaluator.task.test))
    return tuple(retrained)


def _path(folder: Path, id: int) -> Path:
    return folder / f"{id:05d}.json"


def _read(path: Path) -> Evaluation:
    try:
        return evaluation_from_json(json.loads(path.read_bytes()))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise RunDirectoryError(
            f"{path} must hold an evaluation, but is damaged: remove it to train that candidate again"
        ) from error
