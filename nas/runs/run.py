"""Running an experiment in a directory, from where an earlier run of it ended."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nas import durable
from nas.evaluate import Evaluator, TrainedCandidate, check_kinds
from nas.experiment import Experiment
from nas.objective import Evaluation, Status, best
from nas.packed import ArtifactError, unpack
from nas.program import score
from nas.runs.directory import (
    PACKED,
    WEIGHTS,
    RunDirectoryError,
    packed_path,
    read_test,
    weights_path,
    write_test,
)
from nas.runs.journal import Journal, journal
from nas.runs.teacher import loss_of
from nas.runs.tensorboard import TensorBoardLog
from nas.runs.threads import one_thread
from nas.search_loop import Pending, search
from nas.seeds import generator
from nas.strategy import Proposal
from nas.training import checkpoint as weights
from nas.training.fit import Loss, Stop, never
from nas.training.stopping import StoppingRule

FAILURES_IN_A_ROW = 10


class SearchStoppedError(RuntimeError):
    """The candidates fail one after the other: something is wrong with all of them."""


@dataclass(frozen=True)
class Finished:
    """What a run found: every evaluation in order, the best one (None: nothing met the budget) and
    its test accuracy.
    """

    evaluations: tuple[Evaluation, ...]
    best: Evaluation | None
    test_accuracy: float | None


def run(
    experiment: Experiment,
    out: Path,
    watch: Callable[[Sequence[Evaluation]], None] = lambda _: None,
) -> Finished:
    """Runs an experiment in the directory `out`, from where an earlier run of it ended, and scores
    the best on test data.

    `watch` is called with all evaluations so far after each new one. `out` gets the journal, the
    weights of every trained candidate and the TensorBoard logs. Networks run on one thread, so that
    results do not depend on the machine's cores.

    Raises:
        ValueError: if no part of the experiment uses one of the space's kinds of choice.
        RunDirectoryError: if `out` belongs to another experiment, is in use or damaged.
        SearchStoppedError: after ten failed candidates in a row.
        OSError: if a file in `out` cannot be written.
    """
    with one_thread():
        check_kinds(
            experiment.space,
            experiment.compressors,
            experiment.task,
            generator(experiment.seed, "kinds"),
        )
        with (
            journal(out, experiment.describe()) as record,
            TensorBoardLog(out / "tb", experiment.space.choices) as board,
        ):
            evaluator = evaluator_of(experiment, loss_of(experiment, out))
            strategy = experiment.strategy(
                experiment.space.choices, generator(experiment.seed, "strategy")
            )
            evaluations: list[Evaluation] = []
            for evaluation in search(
                strategy,
                _submitter(experiment, evaluator, record, out),
                experiment.objective,
                experiment.trials,
                experiment.window,
                experiment.patience,
                evaluator.facts,
            ):
                evaluations.append(evaluation)
                board.add(evaluations, experiment.objective, strategy)
                watch(evaluations)
                _check_failures(evaluations)
            winner = best(evaluations, experiment.objective)
            tested = None if winner is None else _test(evaluator, winner, out)
            board.finish(evaluations, experiment.objective)
    return Finished(tuple(evaluations), winner, tested)


def evaluator_of(experiment: Experiment, loss: Loss) -> Evaluator:
    """The evaluator of an experiment's candidates, which learn by `loss`."""
    return Evaluator(
        space=experiment.space,
        compressors=experiment.compressors,
        task=experiment.task,
        recipe=experiment.recipe,
        budget=experiment.objective.budget,
        device=experiment.device,
        loss=loss,
        seed=experiment.seed,
    )


def _submitter(
    experiment: Experiment, evaluator: Evaluator, record: Journal, out: Path
) -> Callable[[int, Proposal], Pending]:
    """Answers from the journal what it holds, and evaluates and records the rest."""
    answered = tuple(record.evaluations)
    for folder in (WEIGHTS, PACKED):
        (out / folder).mkdir(exist_ok=True)

    def replay(id: int, proposal: Proposal) -> Evaluation:
        stored = answered[id]
        if (stored.genotype, stored.epochs) != (proposal.genotype, proposal.epochs):
            raise RunDirectoryError(
                f"{record.path} must hold what this search proposes, {proposal.genotype} as number {id}, "
                f"but holds {stored.genotype}: resume it with the software that began it"
            )
        return replace(stored, design=evaluator.space.choices.decode(stored.genotype))

    def evaluate(id: int, proposal: Proposal) -> Evaluation:
        # What is known for certain before this candidate starts, however many are evaluated at
        # once.
        known = record.evaluations[: max(0, id + 1 - experiment.window)]
        evaluation, trained = evaluator(id, proposal, _stop(experiment.stop, proposal, known))
        if trained is not None:
            # First the files, then the record that says they are there.
            _keep(trained, out, id)
        record.append(evaluation)
        return evaluation

    return lambda id, proposal: partial(replay if id < len(answered) else evaluate, id, proposal)


def _stop(rule: StoppingRule | None, proposal: Proposal, known: Sequence[Evaluation]) -> Stop:
    """The rule, with the curves of earlier candidates that were to be trained for as many epochs."""
    if rule is None:
        return never
    return partial(
        rule,
        earlier=[
            evaluation.history for evaluation in known if evaluation.epochs == proposal.epochs
        ],
    )


def _keep(trained: TrainedCandidate, out: Path, id: int) -> None:
    weights.save(trained.model, weights_path(out, id))
    durable.write(packed_path(out, id), trained.packed)


def _test(evaluator: Evaluator, winner: Evaluation, out: Path) -> float:
    """The test accuracy of a candidate's file; where that is damaged, the candidate is trained
    again to the same one.
    """
    known = read_test(out)
    if known is not None and known[0] == winner.id:
        return known[1]
    try:
        program = unpack(packed_path(out, winner.id).read_bytes())
    except (FileNotFoundError, ArtifactError):
        _, again = evaluator(winner.id, Proposal(winner.genotype, winner.epochs))
        if again is None:
            raise RuntimeError(
                f"candidate {winner.id} must train as it did before, but now it fails"
            ) from None
        _keep(again, out, winner.id)
        program = unpack(again.packed)
    tested = score(program, evaluator.task.test)
    write_test(out, winner.id, tested)
    return tested


def _check_failures(evaluations: Sequence[Evaluation]) -> None:
    latest = [
        evaluation
        for evaluation in evaluations[-FAILURES_IN_A_ROW:]
        if evaluation.status is Status.FAILED
    ]
    if len(latest) == FAILURES_IN_A_ROW:
        reasons = Counter(evaluation.reason for evaluation in latest)
        told = "; ".join(f"{count} times {reason}" for reason, count in reasons.most_common(3))
        raise SearchStoppedError(f"the last {FAILURES_IN_A_ROW} candidates failed: {told}")
