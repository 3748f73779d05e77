"""The final network of a run: the chosen candidate, trained on training and validation samples
together.

It was chosen before, and nothing is chosen by it, so that validation samples are free to be trained
on. Its quality on them would mean nothing: its one measure is that on test data.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.objective import Evaluation
from nas.quality import QUALITIES
from nas.runs.directory import FINAL_FOLDER, make_folders, packed_path
from nas.runs.evaluation_file import read_evaluation, write_evaluation
from nas.runs.training_progress import WatchTraining, watching
from nas.seeds import derive
from nas.strategy import Proposal

# Summaries read the final network without torch.
if TYPE_CHECKING:
    from nas.experiment import Experiment

FINAL_FILE = "final.json"


def read_final(out: Path) -> Evaluation | None:
    """The evaluation of the final network of the run directory `out`, by the id and the genotype of
    the candidate; None if there is none. `metrics` has costs, and `test_accuracy`, or the like of the
    run's metric of quality, if it is OK;
    `epochs` are those that it was trained for, and `history` is empty.

    Raises:
        RunDirectoryError: if the file is damaged.
    """
    path = out / FINAL_FOLDER / FINAL_FILE
    return read_evaluation(path) if path.exists() else None


def train_final(
    experiment: "Experiment", choice: Evaluation, epochs: int, out: Path, watch: WatchTraining
) -> Evaluation:
    """Trains the candidate `choice` for `epochs` in all on training and validation samples, scores
    its packed file on test data, and returns what `read_final` then reads.

    A final network of the same candidate, epochs and recipe that the run directory `out` holds is not
    trained again; another one is replaced.
    """
    from nas.evaluation.coded_size import ANY_SIZE
    from nas.packed import unpack
    from nas.runs.confusion import score_test
    from nas.runs.resume import save_candidate
    from nas.runs.stored_recipe import is_recipe_of, write_recipe
    from nas.runs.teacher import loss_of

    stored, folder = read_final(out), out / FINAL_FOLDER
    if (
        stored is not None
        and (stored.id, stored.epochs) == (choice.id, epochs)
        and is_recipe_of(folder, experiment.recipe)
    ):
        return stored
    # First, so that it never tells of files that are not there.
    (folder / FINAL_FILE).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)
    make_folders(folder)
    write_recipe(folder, experiment.recipe)

    task = experiment.task.with_validation()
    loss = loss_of(experiment, out, task.train.inputs)
    evaluator = replace(
        experiment.evaluator(loss, task),
        recipe=replace(experiment.recipe, early_stopping=0),
        seed=derive(experiment.seed, "final"),
    )
    what = f"number {choice.id} on training and validation samples"
    planned = sum(experiment.recipe.phases(epochs))
    evaluation, trained = evaluator(
        choice.id, Proposal(choice.genotype, epochs), watching(what, planned, watch), ANY_SIZE
    )
    metrics = {
        name: value
        for name, value in evaluation.metrics.items()
        if name.removesuffix("_fake_quant") not in QUALITIES
    }
    if trained is not None:
        save_candidate(trained, folder, choice.id)
        program = unpack(packed_path(folder, choice.id).read_bytes())
        quality, test = experiment.quality, evaluator.resident.test
        metrics[f"test_{quality}"] = score_test(
            program, test, folder, choice.id, experiment.rounding, task.kind, quality
        )
    final = replace(evaluation, metrics=metrics, history=())
    write_evaluation(folder / FINAL_FILE, final)
    return final
