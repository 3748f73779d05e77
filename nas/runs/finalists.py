"""The best candidates of a search, trained again with another seed.

The best of many candidates is in part the luckiest, so that its validation accuracy in the search is
too high: the winner's curse. The accuracies of a second training are not chosen by.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.objective import Evaluation, Objective, best, best_few
from nas.runs.directory import (
    RETRAINED_FOLDER,
    TEST_FILE,
    make_folders,
    packed_path,
    read_test_score,
)
from nas.runs.evaluation_file import read_evaluation, write_evaluation
from nas.runs.training_progress import WatchTraining, unwatched, watching
from nas.seeds import derive
from nas.strategy import Proposal

# Summaries read what was retrained without torch.
if TYPE_CHECKING:
    from nas.experiment import Experiment
    from nas.training.recipe import Recipe


def read_retrained(out: Path) -> list[Evaluation]:
    """The evaluations of the candidates that were trained again, by the ids they have in the search.

    Raises:
        RunDirectoryError: if a file is damaged.
    """
    return [read_evaluation(path) for path in _paths(out / RETRAINED_FOLDER)]


def chosen(retrained: Sequence[Evaluation], objective: Objective) -> Evaluation | None:
    """The best of the candidates by their second training; None if none of them is within the
    budget.
    """
    return best(retrained, objective)


def read_chosen_test_score(
    out: Path, choice: Evaluation | None, quality: str = "accuracy"
) -> float | None:
    """The metric `quality` on test data of what `chosen` gives; None if it was not scored.

    Raises:
        RunDirectoryError: if the file is damaged.
    """
    stored = read_test_score(out / RETRAINED_FOLDER, quality)
    return None if stored is None or choice is None or stored[0] != choice.id else stored[1]


def retrain_best(
    experiment: "Experiment",
    evaluations: Sequence[Evaluation],
    out: Path,
    watch: WatchTraining = unwatched,
) -> tuple[Evaluation, ...]:
    """Trains the best of the evaluations again in the run directory `out`, as many as the experiment
    says and for as many epochs, on all training samples and with another seed, and scores the chosen
    one on test data.

    Candidates that were trained again before are not trained a third time, unless it was for other
    epochs or by another recipe: those are forgotten. Returns all that were trained again.
    """
    # Here, because summaries of a run need no torch.
    from nas.evaluation.coded_size import ANY_SIZE
    from nas.packed import unpack
    from nas.runs.confusion import score_test
    from nas.runs.resume import save_candidate
    from nas.runs.stored_recipe import write_recipe
    from nas.runs.teacher import loss_of

    folder = out / RETRAINED_FOLDER
    epochs, task = experiment.final_epochs, experiment.task
    finalists = best_few(evaluations, experiment.objective, experiment.retrain)
    if finalists:
        _forget_others(folder, epochs, experiment.recipe)
    planned = sum(experiment.recipe.phases(epochs))
    waiting = [each for each in finalists if not _path(folder, each).exists()]
    if waiting:
        loss = loss_of(experiment, out, task.train.inputs)
        again = replace(experiment.evaluator(loss, task), seed=derive(experiment.seed, "retrain"))
    for candidate in waiting:
        make_folders(folder)
        write_recipe(folder, experiment.recipe)
        number = finalists.index(candidate) + 1
        what = f"number {candidate.id} again, {number} of {len(finalists)}"
        evaluation, trained = again(
            candidate.id,
            Proposal(candidate.genotype, epochs),
            watching(what, planned, watch),
            ANY_SIZE,
        )
        if trained is not None:
            save_candidate(trained, folder, candidate.id)
        write_evaluation(_path(folder, candidate), evaluation)
    retrained = read_retrained(out)
    choice = chosen(retrained, experiment.objective)
    quality = experiment.quality
    if choice is not None and read_chosen_test_score(out, choice, quality) is None:
        program = unpack(packed_path(folder, choice.id).read_bytes())
        test = task.test.to(experiment.accelerator)
        score_test(program, test, folder, choice.id, experiment.rounding, task.kind, quality)
    return tuple(retrained)


def _forget_others(folder: Path, epochs: float | None, recipe: "Recipe") -> None:
    """Removes what was trained again otherwise: such accuracies cannot be compared."""
    from nas.runs.stored_recipe import is_recipe_of

    others = not is_recipe_of(folder, recipe)
    for path in _paths(folder):
        if others or read_evaluation(path).epochs != epochs:
            path.unlink()
            (folder / TEST_FILE).unlink(missing_ok=True)


def _path(folder: Path, candidate: Evaluation) -> Path:
    return folder / f"{candidate.id:05d}.json"


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.json"))
