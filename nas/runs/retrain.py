"""Candidates of a run, trained again or restored from its weights."""

from pathlib import Path

from torch import nn

from nas.data import Task
from nas.evaluation.coded_size import ANY_SIZE
from nas.evaluation.measuring import TrainedCandidate
from nas.experiment import Experiment
from nas.objective import Evaluation
from nas.packed import unpack
from nas.runs.built_networks import BuiltNetworks
from nas.runs.directory import packed_path, weights_path
from nas.runs.journal import read_journal
from nas.runs.made_design import made_design
from nas.runs.teacher import loss_of
from nas.strategy import Proposal
from nas.threads import one_thread
from nas.training import checkpoint
from nas.training.accelerator import check_available
from nas.training.fit import cross_entropy

_CANDIDATE = "space", "narrowing", "compressors"


def retrained(
    experiment: Experiment, out: Path, evaluation: Evaluation
) -> tuple[Evaluation, TrainedCandidate]:
    """Trains a candidate of a run again, for the `final_epochs` of `experiment` if it has them, or
    all epochs of its recipe or its `final_recipe`, which may differ from the run's.

    It has all training samples of the experiment's task, which may be others than the run's: the
    design is all that is taken from the run.

    Raises:
        ValueError: if the experiment has another space or other compressors than the run, a task of
            another name, input shape or number of classes, or an accelerator that this machine lacks.
        RunDirectoryError: if there is no journal in `out`, it is damaged, or `build` gives other
            networks than it did.
        RuntimeError: if the candidate fails, or is over the experiment's budget.
    """
    check_available(experiment.accelerator)
    experiment = experiment.after_search
    _check_same(experiment, out, *_CANDIDATE)
    _check_task(experiment.task, out, evaluation)
    _check_built(experiment, out)
    with one_thread():
        task = experiment.task
        evaluator = experiment.evaluator(loss_of(experiment, out, task.train.inputs), task)
        proposal = Proposal(evaluation.genotype, experiment.final_epochs)
        again, trained = evaluator(evaluation.id, proposal, prediction=ANY_SIZE)
    if trained is None:
        raise RuntimeError(
            f"candidate {evaluation.id} must train again, but is {again.status}: {again.reason}"
        )
    return again, trained


def restored(experiment: Experiment, out: Path, evaluation: Evaluation) -> nn.Module:
    """The network of a trained candidate, with the weights that the run stored.

    The task must be the run's own: of other samples, those held out may be ones that the weights
    were trained on, so that what is measured on them would be too good.

    Raises:
        ValueError: if the experiment has another space, compressors or task than the run, or the
            weights are missing or damaged.
        RunDirectoryError: if there is no journal in `out`, it is damaged, or `build` gives other
            networks than it did.
    """
    _check_same(experiment, out, *_CANDIDATE, "task")
    _check_built(experiment, out)
    with one_thread():
        design = made_design(experiment.space.choices, evaluation)
        model = experiment.evaluator(cross_entropy).compressed(evaluation.genotype, design)
    if not checkpoint.load(model, path := weights_path(out, evaluation.id)):
        raise ValueError(
            f"{path} must hold the weights of candidate {evaluation.id}, but is missing, damaged or of another network"
        )
    return model


def _check_same(experiment: Experiment, out: Path, *parts: str) -> None:
    stored, given = read_journal(out)[0]["experiment"], experiment.describe()
    changes = [
        f"{part} was {stored.get(part)} and is {given.get(part)}"
        for part in parts
        if stored.get(part) != given.get(part)
    ]
    if changes:
        raise ValueError(
            f"a candidate of {out} must be trained by the experiment that found it, but {'; '.join(changes)}"
        )


def _check_built(experiment: Experiment, out: Path) -> None:
    """Checks layers alone: seed and samples may be others than the run's, and so outputs."""
    stored = read_journal(out)[0].get("networks", [])
    BuiltNetworks(experiment).check(out, stored, outputs=False)


def _check_task(task: Task, out: Path, evaluation: Evaluation) -> None:
    """Checks that the task is the run's but for its samples."""
    stored = read_journal(out)[0]["experiment"]["task"]
    if stored["digest"] == task.digest:
        return
    # Headers do not have the shape and the classes, but the candidate's file does.
    tensors = unpack(packed_path(out, evaluation.id).read_bytes()).tensors
    kind = stored.get("kind", "classification")
    was = stored["name"], kind, tensors[0].shape, tensors[-1].shape[0]
    given = task.name, task.kind, tuple(task.example.shape[1:]), task.outputs
    changes = [
        f"{part} was {old} and is {new}"
        for part, old, new in zip(
            ("name", "kind", "input shape", "number of classes"), was, given, strict=True
        )
        if old != new
    ]
    if changes:
        raise ValueError(
            f"a candidate of {out} must be trained on the task of the run, or on other samples of it, "
            f"but {'; '.join(changes)}"
        )
