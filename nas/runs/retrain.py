"""Candidates of a run, trained again or restored from its weights."""

from pathlib import Path

from torch import nn

from nas.evaluate import TrainedCandidate
from nas.experiment import Experiment
from nas.objective import Evaluation
from nas.runs.directory import weights_path
from nas.runs.journal import read
from nas.runs.run import evaluator_of
from nas.runs.teacher import loss_of
from nas.runs.threads import one_thread
from nas.strategy import Proposal
from nas.training import checkpoint as weights
from nas.training.fit import cross_entropy


def retrained(
    experiment: Experiment, out: Path, evaluation: Evaluation
) -> tuple[Evaluation, TrainedCandidate]:
    """Trains a candidate of a run again, for the full epochs of `experiment`, whose recipe may be
    another than the run's.

    Raises:
        ValueError: if the experiment has another space, compressors or task than the run.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
        RuntimeError: if the candidate fails or is over the experiment's budget.
    """
    _check_found_by(experiment, out)
    with one_thread():
        again, trained = evaluator_of(experiment, loss_of(experiment, out))(
            evaluation.id, Proposal(evaluation.genotype)
        )
    if trained is None:
        raise RuntimeError(
            f"candidate {evaluation.id} must train again, but is {again.status}: {again.reason}"
        )
    return again, trained


def restored(experiment: Experiment, out: Path, evaluation: Evaluation) -> nn.Module:
    """A trained candidate of a run, with the weights that the run kept.

    Raises:
        ValueError: if the experiment has another space, compressors or task than the run, or the
            weights are missing or damaged.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
    """
    _check_found_by(experiment, out)
    with one_thread():
        model = evaluator_of(experiment, cross_entropy).compressed(evaluation.genotype)
    if not weights.load(model, path := weights_path(out, evaluation.id)):
        raise ValueError(
            f"{path} must hold the weights of candidate {evaluation.id}, but is missing, damaged or of another network"
        )
    return model


def _check_found_by(experiment: Experiment, out: Path) -> None:
    before, now = read(out)[0]["experiment"], experiment.describe()
    if differing := [
        part for part in ("space", "compressors", "task") if before[part] != now[part]
    ]:
        told = "; ".join(f"{part} was {before[part]} and is {now[part]}" for part in differing)
        raise ValueError(
            f"a candidate of {out} must be trained by the experiment that found it, but {told}"
        )
