"""Running an experiment in a directory, from where an earlier run of it ended."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.evaluation.coded_size import ANY_SIZE, learnt
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.kinds import check_kinds
from nas.experiment import Experiment
from nas.objective import Evaluation, Status, best
from nas.packed import ArtifactError, unpack
from nas.program import score
from nas.runs.built_networks import BuiltNetworks
from nas.runs.directory import (
    packed_path,
    read_test_accuracy,
    write_class_names,
    write_test_accuracy,
)
from nas.runs.final import train_final
from nas.runs.finalists import chosen, retrain_best
from nas.runs.journal import open_journal
from nas.runs.resume import ResumableEvaluations, save_candidate
from nas.runs.teacher import loss_of
from nas.runs.tensorboard import TensorBoardLog
from nas.runs.training_progress import WatchTraining, unwatched
from nas.search_loop import search
from nas.seeds import generator
from nas.strategy import Proposal
from nas.threads import one_thread

FAILURES_IN_A_ROW = 10


class SearchStoppedError(RuntimeError):
    """Candidate after candidate failed, so the experiment itself is likely wrong."""


@dataclass(frozen=True)
class RunResult:
    """What a run found: all evaluations in order, the best one (None: none met the budget), its
    test accuracy, the evaluations of the candidates that were trained again, and that of the final
    network (None: none was wanted, or no candidate to train was within the budget).
    """

    evaluations: tuple[Evaluation, ...]
    best: Evaluation | None
    test_accuracy: float | None
    retrained: tuple[Evaluation, ...] = ()
    final: Evaluation | None = None


@one_thread()
def run(
    experiment: Experiment,
    out: Path,
    watch: Callable[[Sequence[Evaluation]], None] = lambda _: None,
    watch_training: WatchTraining = unwatched,
) -> RunResult:
    """Runs an experiment in the directory `out`, from where an earlier run of it ended, and scores
    the best candidate on test data. If the experiment says so, the best few are then trained again,
    and the final network is trained.

    `watch` is called with all evaluations so far after each new one, and `watch_training` before
    each epoch of the trainings after the search. The run writes the journal, the weights and packed
    file of every trained candidate, the names of the classes and TensorBoard logs to `out`. It uses one thread, so that
    results do not depend on the cores of the machine.

    Raises:
        ValueError: if no part of the experiment uses one of the space's kinds of choice.
        RunDirectoryError: if `out` belongs to another experiment, or one whose `build` was another,
            is in use or damaged.
        SearchStoppedError: after ten failed candidates in a row.
        OSError: if a file in `out` cannot be written.
    """
    space, objective = experiment.space, experiment.objective
    compressors = (*experiment.narrowing, *experiment.compressors)
    check_kinds(space, compressors, experiment.task, generator(experiment.seed, "kinds"))
    with (
        open_journal(out, experiment.describe(), BuiltNetworks(experiment)) as journal,
        TensorBoardLog(out / "tb", space.choices) as tensorboard,
    ):
        if experiment.task.class_names is not None:
            write_class_names(out, experiment.task.class_names)
        evaluator = experiment.evaluator(loss_of(experiment, out))
        strategy = experiment.strategy(space.choices, generator(experiment.seed, "strategy"))
        resumable = ResumableEvaluations(
            evaluator, journal, out, experiment.window, experiment.stop
        )
        evaluations: list[Evaluation] = []
        for evaluation in search(
            strategy,
            resumable.submit,
            objective,
            experiment.trials,
            experiment.window,
            experiment.patience,
            # What strategies know of sizes follows from what they were told.
            lambda genotype: evaluator.facts(genotype, learnt(evaluations)),
        ):
            evaluations.append(evaluation)
            tensorboard.add(evaluations, objective, strategy)
            watch(evaluations)
            _check_failures(evaluations)
        leader = best(evaluations, objective)
        test_accuracy = None if leader is None else _test_accuracy(evaluator, leader, out)
        tensorboard.finish(evaluations, objective)
        epochs = experiment.final_epochs
        retrained = retrain_best(experiment, evaluations, out, watch_training)
        choice = chosen(retrained, objective) if experiment.retrain else leader
        final = None
        if epochs is not None and choice is not None:
            final = train_final(experiment, choice, epochs, out, watch_training)
    return RunResult(tuple(evaluations), leader, test_accuracy, retrained, final)


def _test_accuracy(evaluator: Evaluator, leader: Evaluation, out: Path) -> float:
    """The test accuracy of the packed file of the best candidate.

    If the file is damaged, the candidate is trained again, which gives the same file.
    """
    stored = read_test_accuracy(out)
    if stored is not None and stored[0] == leader.id:
        return stored[1]
    try:
        program = unpack(packed_path(out, leader.id).read_bytes())
    except (FileNotFoundError, ArtifactError):
        proposal = Proposal(leader.genotype, leader.epochs)
        _, trained = evaluator(leader.id, proposal, prediction=ANY_SIZE)
        if trained is None:
            raise RuntimeError(
                f"candidate {leader.id} must train as it did before, but now it fails"
            ) from None
        save_candidate(trained, out, leader.id)
        program = unpack(trained.packed)
    accuracy = score(program, evaluator.task.test)
    write_test_accuracy(out, leader.id, accuracy)
    return accuracy


def _check_failures(evaluations: Sequence[Evaluation]) -> None:
    failed = [
        evaluation
        for evaluation in evaluations[-FAILURES_IN_A_ROW:]
        if evaluation.status is Status.FAILED
    ]
    if len(failed) == FAILURES_IN_A_ROW:
        reasons = Counter(evaluation.reason for evaluation in failed).most_common(3)
        listed = "; ".join(f"{count} times {reason}" for reason, count in reasons)
        raise SearchStoppedError(f"the last {FAILURES_IN_A_ROW} candidates failed: {listed}")
