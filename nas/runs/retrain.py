"""Candidates of a run, trained again or restored from its weights."""

from pathlib import Path

from torch import nn

from nas.evaluation.coded_size import ANY_SIZE
from nas.evaluation.measuring import TrainedCandidate
from nas.experiment import Experiment
from nas.objective import Evaluation
from nas.runs.directory import weights_path
from nas.runs.journal import read_journal
from nas.runs.made_design import made_design
from nas.runs.teacher import loss_of
from nas.strategy import Proposal
from nas.threads import one_thread
from nas.training import checkpoint
from nas.training.fit import cross_entropy


def retrained(
    experiment: Experiment, out: Path, evaluation: Evaluation
) -> tuple[Evaluation, TrainedCandidate]:
    """Trains a candidate of a run again, for all epochs of the recipe of `experiment`, which may
    differ from the run's.

    Raises:
        ValueError: if the experiment has another space, compressors or task than the run.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
        RuntimeError: if the candidate fails, or is over the experiment's budget.
    """
    _check_same_candidates(experiment, out)
    with one_thread():
        evaluator = experiment.evaluator(loss_of(experiment, out))
        proposal = Proposal(evaluation.genotype)
        again, trained = evaluator(evaluation.id, proposal, prediction=ANY_SIZE)
    if trained is None:
        raise RuntimeError(
            f"candidate {evaluation.id} must train again, but is {again.status}: {again.reason}"
        )
    return again, trained


def restored(experiment: Experiment, out: Path, evaluation: Evaluation) -> nn.Module:
    """The network of a trained candidate, with the weights that the run stored.

    Raises:
        ValueError: if the experiment has another space, compressors or task than the run, or the
            weights are missing or damaged.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
    """
    _check_same_candidates(experiment, out)
    with one_thread():
        design = made_design(experiment.space.choices, evaluation)
        model = experiment.evaluator(cross_entropy).compressed(evaluation.genotype, design)
    if not checkpoint.load(model, path := weights_path(out, evaluation.id)):
        raise ValueError(
            f"{path} must hold the weights of candidate {evaluation.id}, but is missing, damaged or of another network"
        )
    return model


def _check_same_candidates(experiment: Experiment, out: Path) -> None:
    stored, given = read_journal(out)[0]["experiment"], experiment.describe()
    changes = [
        f"{part} was {stored.get(part)} and is {given.get(part)}"
        for part in ("space", "narrowing", "compressors", "task")
        if stored.get(part) != given.get(part)
    ]
    if changes:
        raise ValueError(
            f"a candidate of {out} must be trained by the experiment that found it, but {'; '.join(changes)}"
        )
