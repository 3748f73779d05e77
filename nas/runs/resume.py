"""Evaluations of a run that can be interrupted: what the journal holds is not evaluated again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nas import durable
from nas.evaluation.coded_size import learnt
from nas.evaluation.measuring import TrainedCandidate
from nas.executors import Task, UnansweredError, Workers
from nas.objective import Evaluation, Status
from nas.runs.candidate_requests import Evaluated, evaluation_request, read_evaluated
from nas.runs.directory import (
    RunDirectoryError,
    make_folders,
    packed_path,
    weights_path,
)
from nas.runs.journal import Journal
from nas.runs.made_design import made_design
from nas.runs.time_limits import CandidateLimit, OutOfTimeError, SearchLimit
from nas.search_loop import Pending
from nas.space import Choices
from nas.strategy import Proposal
from nas.training import checkpoint


@dataclass(frozen=True, kw_only=True)
class ResumableEvaluations:
    """Answers the proposals that the journal already holds, and has workers evaluate the rest.

    Results are journalled in the order of their ids, in whichever they come; one process writes.

    Args:
        choices: of the space
        workers: that evaluate
        journal: of the run directory
        out: the run directory, where the files of trained candidates go
        window: of the search
        curves: whether candidates are stopped by the curves of others
        trial_limit: what one candidate may take
        search_limit: what all may take
        check_signals: called before a result is believed
    """

    choices: Choices
    workers: Workers
    journal: Journal
    out: Path
    window: int
    curves: bool
    trial_limit: CandidateLimit
    search_limit: SearchLimit
    check_signals: Callable[[], None]

    def __post_init__(self) -> None:
        make_folders(self.out)

    def submit(self, id: int, proposal: Proposal) -> Pending:
        """A function that gives the evaluation of a proposal.

        It raises a RunDirectoryError if the journal holds another candidate under this id, and an
        OutOfTimeError if the time was over before the evaluation began.

        Raises:
            ValueError: if the genotype is not canonical, or none of the space.
        """
        # Recorded as what it stands for, it would not be found again when the run is resumed.
        if (canonical := self.choices.canonical(proposal.genotype)) != proposal.genotype:
            raise ValueError(
                f"a strategy must propose canonical genotypes, such as {canonical}, but proposed {proposal.genotype} "
                "for the same design: use choices.canonical"
            )
        if id < len(self.journal.evaluations):
            return partial(self._replay, self.journal.evaluations[id], proposal)
        if self.search_limit.is_over():
            return _out_of_time
        # Only what is known whatever the order in which a window finishes.
        known = self.journal.evaluations[: max(0, id + 1 - self.window)]
        earlier = [each.history for each in known if each.epochs == proposal.epochs]
        request = evaluation_request(id, proposal, earlier if self.curves else [], learnt(known))
        task = self.workers.submit(request, partial(self.trial_limit.seconds, proposal))
        return partial(self._evaluated, id, proposal, task)

    def _replay(self, stored: Evaluation, proposal: Proposal) -> Evaluation:
        if (stored.genotype, stored.epochs) != (proposal.genotype, proposal.epochs):
            raise RunDirectoryError(
                f"{self.journal.path} must hold what this search proposes, {proposal.genotype} as number {stored.id}, "
                f"but holds {stored.genotype}: resume it with the software that began it"
            )
        return replace(stored, design=made_design(self.choices, stored))

    def _evaluated(self, id: int, proposal: Proposal, task: Task) -> Evaluation:
        if self.search_limit.is_over() and task.cancel():
            raise OutOfTimeError
        began = time.perf_counter()
        try:
            found = read_evaluated(task.result())
        except (UnansweredError, ValueError) as error:
            found = self._failed(id, proposal, str(error), time.perf_counter() - began)
        self.check_signals()
        design = made_design(self.choices, found.evaluation)
        evaluation = replace(found.evaluation, design=design, finished=time.time())
        if found.packed:  # before the line in the journal that implies it
            durable.write(weights_path(self.out, id), found.weights)
            durable.write(packed_path(self.out, id), found.packed)
        self.journal.append(evaluation)
        return evaluation

    def _failed(self, id: int, proposal: Proposal, reason: str, seconds: float) -> Evaluated:
        genotype = self.choices.canonical(proposal.genotype)
        return Evaluated(
            Evaluation(
                id=id,
                genotype=genotype,
                design=self.choices.decode(genotype),
                status=Status.FAILED,
                reason=reason,
                metrics={},
                seconds=seconds,
                epochs=proposal.epochs,
            )
        )


def _out_of_time() -> Evaluation:
    raise OutOfTimeError


def save_candidate(trained: TrainedCandidate, out: Path, id: int) -> None:
    """Writes the weights and the packed file of a candidate to the run directory."""
    checkpoint.save(trained.model, weights_path(out, id))
    durable.write(packed_path(out, id), trained.packed)
