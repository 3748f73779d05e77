"""Running an experiment in a directory, from where an earlier run of it ended."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from nas.board.log import TensorBoardLog
from nas.board.network import LoggedNetwork, logged_network
from nas.evaluation.coded_size import ANY_SIZE, learnt
from nas.evaluation.evaluator import UNLEARNT, Evaluator
from nas.executors import Executor, InProcess, LocalProcesses
from nas.experiment import Experiment
from nas.objective import Evaluation, Status, best
from nas.packed import ArtifactError, unpack
from nas.quality import KINDS
from nas.runs.built_networks import BuiltNetworks
from nas.runs.candidate_worker import CandidateSetup, Given
from nas.runs.confusion import score_test
from nas.runs.counting_worker import SECONDS, CountingWorker
from nas.runs.directory import (
    check_folders,
    packed_path,
    read_test_score,
    weights_path,
    write_class_names,
    write_preprocessing,
)
from nas.runs.epoch_notes import EpochNotes
from nas.runs.final import train_final
from nas.runs.finalists import chosen, retrain_best
from nas.runs.journal import open_journal, window_of
from nas.runs.origin import write_origin
from nas.runs.result import RunResult
from nas.runs.resume import ResumableEvaluations, save_candidate
from nas.runs.signals import noticed_signals
from nas.runs.supernet import shared_weights_of
from nas.runs.teacher import loss_of
from nas.runs.time_limits import CandidateLimit, OutOfTimeError, SearchLimit, check_minutes
from nas.runs.training_progress import WatchTraining, unwatched
from nas.search_loop import search
from nas.seeds import generator
from nas.strategy import Proposal
from nas.threads import one_thread
from nas.training.accelerator import check_available
from nas.training.fit import cross_entropy

FAILURES_IN_A_ROW = 10
LOGGED_SAMPLES = 64
"""So many validation samples give the activations that TensorBoard shows."""


class SearchStoppedError(RuntimeError):
    """Candidate after candidate failed, so the experiment itself is likely wrong."""


@one_thread()
def run(
    experiment: Experiment,
    out: Path,
    watch: Callable[[Sequence[Evaluation]], None] = lambda _: None,
    watch_training: WatchTraining = unwatched,
    *,
    executor: Executor | None = None,
    source: Callable[[], Experiment] | None = None,
    trial_minutes: float | None = None,
    minutes: float | None = None,
    notes: EpochNotes | None = None,
    command: str = "",
) -> RunResult:
    """Runs an experiment in the directory `out`, from where an earlier run of it ended, and scores
    the best candidate on test data. If the experiment says so, the best few are then trained again,
    and the final network is trained.

    `watch` is called with all evaluations so far after each new one, and `watch_training` before
    each epoch of the trainings after the search. The run writes the journal, the weights and packed
    file of every trained candidate, the names of the classes and TensorBoard logs to `out`. It uses one thread for
    a candidate, so that results do not depend on the cores of the machine. A run that is resumed keeps its window.

    `executor` says where candidates are evaluated (None: `InProcess()`, here, one after the other); results
    are the same whichever it is. Where that is in other processes, `source` makes the experiment there, a
    picklable function without arguments, such as a `functools.partial` of one at the top of a module
    (None: the experiment is sent, and must be picklable). A candidate that takes more than
    `trial_minutes` has failed (None: as `CandidateLimit` says). After `minutes`, no further candidate
    begins, and the search ends as after its last trial (None: it has all the time); the same call continues it.
    Workers on this machine leave the epochs that they reach in `notes` (None: nowhere). `command` is what was
    typed, for the report.

    Raises:
        ValueError: if no part of the experiment uses one of the space's kinds of choice, the experiment
            cannot be sent to other processes, minutes are not above 0, or this machine has no such
            accelerator.
        RunDirectoryError: if `out` belongs to another experiment, or one whose `build` was another,
            is in use or damaged.
        SearchStoppedError: after ten failed candidates in a row; the same call makes a new attempt.
        OSError: if a file in `out` cannot be written.
    """
    executor = executor or InProcess()
    check_available(experiment.accelerator)
    search_limit = SearchLimit(minutes)
    check_minutes("a trial", trial_minutes)
    window = window_of(out)
    experiment = experiment if window is None else replace(experiment, window=window)
    objective = experiment.objective
    setup = CandidateSetup(source or Given(experiment), cross_entropy, experiment.describe())
    counter = executor if isinstance(executor, InProcess) else LocalProcesses(1)
    with noticed_signals() as check_signals, counter.open(setup) as counters:
        counting = CountingWorker(counters, min(SECONDS, 60.0 * (trial_minutes or SECONDS)))
        counting.check_kinds()
        networks = BuiltNetworks(experiment, counting.built)
        with (
            open_journal(out, setup.header, networks) as journal,
            TensorBoardLog(
                out / "tb",
                experiment.space.choices,
                partial(_logged, experiment, out),
                KINDS[experiment.task.kind].score,
            ) as tensorboard,
        ):
            check_folders(out)
            write_origin(out, command)
            if experiment.task.class_names is not None:
                write_class_names(out, experiment.task.class_names)
            if experiment.task.preprocessing is not None:
                write_preprocessing(out, experiment.task.preprocessing)
            loss = loss_of(experiment, out)
            shared = shared_weights_of(
                experiment, out, partial(counting.facts, prediction=UNLEARNT)
            )
            sent = replace(setup, loss=loss, shared=shared, notes=notes)
            with executor.open(sent) as workers:
                resumable = ResumableEvaluations(
                    choices=experiment.space.choices,
                    workers=workers,
                    journal=journal,
                    out=out,
                    window=experiment.window,
                    curves=experiment.stop is not None,
                    trial_limit=CandidateLimit(
                        trial_minutes, journal.evaluations, experiment.recipe
                    ),
                    search_limit=search_limit,
                    check_signals=check_signals,
                )
                evaluations = _searched(experiment, resumable, counting, tensorboard, watch)
            leader = best(evaluations, objective)
            evaluator = experiment.evaluator(loss, shared=shared)
            test_score = (
                None if leader is None else _test_score(evaluator, leader, out, experiment.quality)
            )
            tensorboard.finish(evaluations, objective)
            epochs = experiment.final_epochs
            after = experiment.after_search
            retrained = retrain_best(after, evaluations, out, watch_training)
            choice = chosen(retrained, objective) if experiment.retrain else leader
            final = None
            if epochs is not None and choice is not None:
                final = train_final(after, choice, epochs, out, watch_training)
    return RunResult(tuple(evaluations), leader, test_score, retrained, final, experiment, out)


def _logged(experiment: Experiment, out: Path, evaluation: Evaluation) -> LoggedNetwork | None:
    samples = experiment.task.validation.inputs[:LOGGED_SAMPLES]
    id = evaluation.id
    return logged_network(packed_path(out, id), weights_path(out, id), samples)


def _searched(
    experiment: Experiment,
    resumable: ResumableEvaluations,
    counting: CountingWorker,
    tensorboard: TensorBoardLog,
    watch: Callable[[Sequence[Evaluation]], None],
) -> list[Evaluation]:
    """All evaluations of a search, in order."""
    choices, objective = experiment.space.choices, experiment.objective
    strategy = experiment.strategy(choices, generator(experiment.seed, "strategy"))
    evaluations: list[Evaluation] = []
    prediction = learnt(evaluations)
    resumed = len(resumable.journal.evaluations)
    found = search(
        strategy,
        resumable.submit,
        objective,
        experiment.trials,
        experiment.window,
        experiment.patience,
        # What strategies know of sizes follows from what they were told.
        lambda genotype: counting.facts(genotype, prediction),
    )
    with suppress(OutOfTimeError):
        for evaluation in found:
            evaluations.append(evaluation)
            prediction = learnt(evaluations)
            tensorboard.add(evaluations, objective, strategy)
            watch(evaluations)
            # Those of before count no more: their cause may be gone.
            _check_failures(evaluations[resumed:])
    return evaluations


def _test_score(evaluator: Evaluator, leader: Evaluation, out: Path, quality: str) -> float:
    """The metric `quality` on test data of the packed file of the best candidate.

    If the file is damaged, the candidate is trained again, which gives the same file.
    """
    stored = read_test_score(out, quality)
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
    return score_test(
        program,
        evaluator.resident.test,
        out,
        leader.id,
        rounding=evaluator.rounding,
        kind=evaluator.task.kind,
        quality=quality,
    )


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
