"""Running an experiment in a directory, from where an earlier run of it ended."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from nas import durable, weights
from nas.artifact import ArtifactError, score, unpack
from nas.board import Board
from nas.distill import distillation
from nas.evaluate import Evaluator, Trained, check_kinds
from nas.experiment import Experiment
from nas.objective import Evaluation, Status, best
from nas.record import PACKED, WEIGHTS, Journal, RunDirectoryError, journal, packed_path, read, read_test, weights_path, write_test
from nas.search import Pending, Proposal, search
from nas.seeds import derive, generator, seeded
from nas.stopping import StoppingRule
from nas.train import Loss, Stop, cross_entropy, fit, never

FAILURES_IN_A_ROW = 10


class SearchStoppedError(RuntimeError):
    """The candidates fail one after the other: something is wrong with all of them."""


@dataclass(frozen=True)
class Finished:
    """What a run found: every evaluation in order, the best one (None: nothing met the budget) and its test accuracy."""

    evaluations: tuple[Evaluation, ...]
    best: Evaluation | None
    test_accuracy: float | None


def run(experiment: Experiment, out: Path, watch: Callable[[Sequence[Evaluation]], None] = lambda _: None) -> Finished:
    """Runs an experiment in the directory `out`, from where an earlier run of it ended, and scores the best on test data.

    `watch` is called with all evaluations so far after each new one. `out` gets the journal, the weights of every trained
    candidate and the TensorBoard logs. Networks run on one thread, so that results do not depend on the machine's cores.

    Raises:
        ValueError: if no part of the experiment uses one of the space's kinds of choice.
        RunDirectoryError: if `out` belongs to another experiment, is in use or damaged.
        SearchStoppedError: after ten failed candidates in a row.
        OSError: if a file in `out` cannot be written.
    """
    with one_thread():
        check_kinds(experiment.space, experiment.compressors, experiment.task, generator(experiment.seed, "kinds"))
        with journal(out, experiment.describe()) as record, Board(out / "tb", experiment.space.choices) as board:
            evaluator = evaluator_of(experiment, _loss(experiment, out))
            strategy = experiment.strategy(experiment.space.choices, generator(experiment.seed, "strategy"))
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


@contextmanager
def one_thread() -> Iterator[None]:
    """Networks run on one thread while this lasts."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def evaluator_of(experiment: Experiment, loss: Loss) -> Evaluator:
    """The evaluator of an experiment's candidates, which learn by `loss`."""
    return Evaluator(
        experiment.space,
        experiment.compressors,
        experiment.task,
        experiment.recipe,
        experiment.objective.budget,
        experiment.device,
        loss,
        experiment.seed,
    )


def _loss(experiment: Experiment, out: Path) -> Loss:
    """Plain cross-entropy, or distillation from a teacher that is given, or trained once for the run directory."""
    teacher, task = experiment.teacher, experiment.task
    if teacher is None:
        return cross_entropy
    seed, recipe = derive(experiment.seed, "teacher"), experiment.recipe
    with seeded(seed):
        model = teacher.build(task.example, task.classes)
        if teacher.weights is not None and not weights.load(model, teacher.weights):
            raise ValueError(f"{teacher.weights} must hold the teacher's weights, but is missing, damaged or of another network")
        if teacher.epochs > 0:
            # Named after all that it is made from: whoever changes any of that gets another teacher.
            path = out / f"teacher-{weights.digest(model, task.digest, asdict(recipe), teacher.epochs, seed)}.npz"
            if not weights.load(model, path):
                shuffle = torch.Generator().manual_seed(seed)
                fit(model, task, recipe, epochs=teacher.epochs, lr=recipe.lr, loss=cross_entropy, generator=shuffle)
                weights.save(model, path)
    return distillation(model, task.train.inputs, teacher.alpha, teacher.temperature, teacher.hints)


def _submitter(experiment: Experiment, evaluator: Evaluator, record: Journal, out: Path) -> Callable[[int, Proposal], Pending]:
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
        # What is known for certain before this candidate starts, however many are evaluated at once.
        known = record.evaluations[: max(0, id + 1 - experiment.window)]
        evaluation, trained = evaluator(id, proposal, _stop(experiment.stop, proposal, known))
        if trained is not None:
            # First the files, then the record that says they are there.
            _keep(trained, out, id)
        record.append(evaluation)
        return evaluation

    return lambda id, proposal: partial(replay if id < len(answered) else evaluate, id, proposal)


def retrained(experiment: Experiment, out: Path, evaluation: Evaluation) -> tuple[Evaluation, Trained]:
    """Trains a candidate of a run again, for the full epochs of `experiment`, whose recipe may be another than the run's.

    Raises:
        ValueError: if the experiment has another space, compressors or task than the run.
        RunDirectoryError: if there is no journal in `out`, or it is damaged.
        RuntimeError: if the candidate fails or is over the experiment's budget.
    """
    _check_found_by(experiment, out)
    with one_thread():
        again, trained = evaluator_of(experiment, _loss(experiment, out))(evaluation.id, Proposal(evaluation.genotype))
    if trained is None:
        raise RuntimeError(f"candidate {evaluation.id} must train again, but is {again.status}: {again.reason}")
    return again, trained


def restored(experiment: Experiment, out: Path, evaluation: Evaluation) -> nn.Module:
    """A trained candidate of a run, with the weights that the run kept.

    Raises:
        ValueError: if the experiment has another space, compressors or task than the run, or the weights are missing or damaged.
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
    if differing := [part for part in ("space", "compressors", "task") if before[part] != now[part]]:
        told = "; ".join(f"{part} was {before[part]} and is {now[part]}" for part in differing)
        raise ValueError(f"a candidate of {out} must be trained by the experiment that found it, but {told}")


def _stop(rule: StoppingRule | None, proposal: Proposal, known: Sequence[Evaluation]) -> Stop:
    """The rule, with the curves of earlier candidates that were to be trained for as many epochs."""
    if rule is None:
        return never
    return partial(rule, earlier=[evaluation.history for evaluation in known if evaluation.epochs == proposal.epochs])


def _keep(trained: Trained, out: Path, id: int) -> None:
    weights.save(trained.model, weights_path(out, id))
    durable.write(packed_path(out, id), trained.packed)


def _test(evaluator: Evaluator, winner: Evaluation, out: Path) -> float:
    """The test accuracy of a candidate's file; where that is damaged, the candidate is trained again to the same one."""
    known = read_test(out)
    if known is not None and known[0] == winner.id:
        return known[1]
    try:
        program = unpack(packed_path(out, winner.id).read_bytes())
    except (FileNotFoundError, ArtifactError):
        _, again = evaluator(winner.id, Proposal(winner.genotype, winner.epochs))
        if again is None:
            raise RuntimeError(f"candidate {winner.id} must train as it did before, but now it fails") from None
        _keep(again, out, winner.id)
        program = unpack(again.packed)
    tested = score(program, evaluator.task.test)
    write_test(out, winner.id, tested)
    return tested


def _check_failures(evaluations: Sequence[Evaluation]) -> None:
    latest = [evaluation for evaluation in evaluations[-FAILURES_IN_A_ROW:] if evaluation.status is Status.FAILED]
    if len(latest) == FAILURES_IN_A_ROW:
        reasons = Counter(evaluation.reason for evaluation in latest)
        told = "; ".join(f"{count} times {reason}" for reason, count in reasons.most_common(3))
        raise SearchStoppedError(f"the last {FAILURES_IN_A_ROW} candidates failed: {told}")
