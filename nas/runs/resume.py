"""Evaluations of a run that can be interrupted: what the journal holds is not evaluated again."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from nas import durable
from nas.evaluation.coded_size import learnt
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.measuring import TrainedCandidate
from nas.objective import Evaluation
from nas.runs.directory import (
    PACKED_FOLDER,
    WEIGHTS_FOLDER,
    RunDirectoryError,
    packed_path,
    weights_path,
)
from nas.runs.journal import Journal
from nas.runs.made_design import made_design
from nas.search_loop import Pending
from nas.strategy import Proposal
from nas.training import checkpoint
from nas.training.fit import Stop, never
from nas.training.stopping import StoppingRule


class ResumableEvaluations:
    """Answers the proposals that the journal already holds, and evaluates and journals the rest.

    `evaluator` evaluates candidates and `journal` is the one of the run directory `out`, where the
    files of trained candidates go. `window` is that of the search, and `stop` its rule to give up
    candidates (None: none is).
    """

    def __init__(
        self,
        evaluator: Evaluator,
        journal: Journal,
        out: Path,
        window: int,
        stop: StoppingRule | None,
    ) -> None:
        self._evaluator, self._journal, self._out = evaluator, journal, out
        self._window, self._stop = window, stop
        self._earlier = tuple(journal.evaluations)
        for folder in (WEIGHTS_FOLDER, PACKED_FOLDER):
            (out / folder).mkdir(exist_ok=True)

    def submit(self, id: int, proposal: Proposal) -> Pending:
        """A function that gives the evaluation of a proposal.

        It raises a RunDirectoryError if the journal holds another candidate under this id.
        """
        return partial(self._replay if id < len(self._earlier) else self._evaluate, id, proposal)

    def _replay(self, id: int, proposal: Proposal) -> Evaluation:
        stored = self._earlier[id]
        if (stored.genotype, stored.epochs) != (proposal.genotype, proposal.epochs):
            raise RunDirectoryError(
                f"{self._journal.path} must hold what this search proposes, {proposal.genotype} as number {id}, "
                f"but holds {stored.genotype}: resume it with the software that began it"
            )
        return replace(stored, design=made_design(self._evaluator.space.choices, stored))

    def _evaluate(self, id: int, proposal: Proposal) -> Evaluation:
        # Only what is known whatever the order in which a window finishes.
        known = self._journal.evaluations[: max(0, id + 1 - self._window)]
        stop = _stop_of(self._stop, proposal, known)
        evaluation, trained = self._evaluator(id, proposal, stop, learnt(known))
        if trained is not None:
            save_candidate(trained, self._out, id)  # before the line in the journal that implies it
        self._journal.append(evaluation)
        return evaluation


def _stop_of(rule: StoppingRule | None, proposal: Proposal, known: Sequence[Evaluation]) -> Stop:
    """The rule, given the learning curves of known candidates of the same fidelity."""
    if rule is None:
        return never
    curves = [evaluation.history for evaluation in known if evaluation.epochs == proposal.epochs]
    return partial(rule, earlier=curves)


def save_candidate(trained: TrainedCandidate, out: Path, id: int) -> None:
    """Writes the weights and the packed file of a candidate to the run directory."""
    checkpoint.save(trained.model, weights_path(out, id))
    durable.write(packed_path(out, id), trained.packed)
