"""The side of a run that its workers are on: an experiment and its evaluator, made once and kept."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from nas.error_text import described
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.kinds import check_kinds
from nas.evaluation.measuring import TrainedCandidate
from nas.executors import Handler
from nas.experiment import Experiment
from nas.objective import Curve, Evaluation, Status
from nas.runs.built_networks import built_network
from nas.runs.candidate_requests import (
    BUILT,
    EVALUATE,
    FACTS,
    KINDS,
    Evaluated,
    curves_of,
    evaluated_answer,
    facts_answer,
    prediction_of,
)
from nas.runs.epoch_notes import EpochNotes
from nas.runs.shared_state import SharedState, is_copy, own_surroundings
from nas.seeds import generator
from nas.strategy import Proposal
from nas.threads import keep_one_thread
from nas.training import checkpoint
from nas.training.accelerator import still_works
from nas.training.fit import Loss, Stop, never
from nas.training.shared_weights import SharedWeights


@dataclass(frozen=True)
class Given:
    """A source that gives the experiment that it holds."""

    experiment: Experiment

    def __call__(self) -> Experiment:
        """The experiment."""
        return self.experiment


@dataclass(frozen=True)
class CandidateSetup:
    """Makes the handler of a run's requests in a worker.

    `source` makes the experiment, which must be as `header` describes it, and `loss` is what its
    candidates are trained with: the answers of a teacher are those that the run has asked it for. They
    start from the `shared` weights (None: from nothing). Epochs are noted in `notes` (None: nowhere).
    """

    source: Callable[[], Experiment]
    loss: Loss
    header: Mapping[str, Any]
    shared: SharedWeights | None = None
    notes: EpochNotes | None = None

    def __call__(self) -> Handler:
        """The handler.

        Raises:
            ValueError: if the source makes another experiment here.
        """
        keep_one_thread()
        experiment = self.source()
        given = experiment.describe()
        others = [
            name
            for name in self.header.keys() | given.keys()
            if name != "window" and self.header.get(name) != given.get(name)
        ]
        if others:
            raise ValueError(
                f"the source of an experiment must make the same one in every process, but {sorted(others)} differ"
            )
        evaluator = experiment.evaluator(self.loss, shared=self.shared)
        return CandidateHandler(experiment, evaluator, self.notes)


class CandidateHandler:
    """Answers the requests of a run."""

    def __init__(
        self, experiment: Experiment, evaluator: Evaluator, notes: EpochNotes | None = None
    ) -> None:
        self._experiment, self._evaluator, self._notes = experiment, evaluator, notes
        self._shared = SharedState(evaluator.task)

    def __call__(self, request: bytes) -> tuple[bytes, bool]:
        """The answer, and whether the candidate left the process as it was."""
        with own_surroundings():
            return self._answered(json.loads(request))

    def _answered(self, content: Mapping[str, Any]) -> tuple[bytes, bool]:
        ask = content["ask"]
        if ask == EVALUATE:
            return self._evaluated(content)
        if ask == FACTS:
            facts = self._evaluator.facts(tuple(content["genotype"]), prediction_of(content))
            answer = facts_answer(facts)
        elif ask == BUILT:
            answer = json.dumps(
                built_network(self._experiment, tuple(content["genotype"]))
            ).encode()
        elif ask == KINDS:
            answer = json.dumps(self._kinds()).encode()
        else:
            raise ValueError(f"a worker must be asked for what it knows, but got {ask!r}")
        return answer, not self._shared.restored(thorough=False)

    def _evaluated(self, content: Mapping[str, Any]) -> tuple[bytes, bool]:
        proposal = Proposal(tuple(content["genotype"]), content["epochs"])
        rule = self._experiment.stop
        stop = never if rule is None else partial(rule, earlier=curves_of(content))
        noted = self._noting(content["id"], proposal, stop)
        try:
            evaluation, trained = self._evaluator(
                content["id"], proposal, noted, prediction_of(content)
            )
        finally:
            if self._notes is not None:
                self._notes.remove(content["id"])
        changes = self._shared.restored(thorough=evaluation.is_trial)
        works = still_works(self._evaluator.accelerator)
        if works and evaluation.is_trial and not self._has_copy():
            changes = changes or "the samples on the accelerator are others"
        if changes:
            reason = f"a candidate must leave its process as it was, but {changes}"
            return evaluated_answer(_failed(evaluation, reason)), False
        try:
            return evaluated_answer(_with_files(evaluation, trained)), works
        except ValueError as error:
            return evaluated_answer(_failed(evaluation, described(error))), works

    def _noting(self, id: int, proposal: Proposal, stop: Stop) -> Stop:
        """The same rule, which notes the epochs that it is shown."""
        notes = self._notes
        if notes is None:
            return stop

        def noted(reached: Curve) -> bool:
            notes.write(id, reached, sum(self._experiment.recipe.phases(proposal.epochs)))
            return stop(reached)

        return noted

    def _has_copy(self) -> bool:
        return is_copy(self._evaluator.resident, self._evaluator.task)

    def _kinds(self) -> list[Any]:
        """What is wrong with the kinds of choice, and whether it was `build` that failed."""
        experiment = self._experiment
        compressors = (*experiment.narrowing, *experiment.compressors)
        rng = generator(experiment.seed, "kinds")
        try:
            check_kinds(experiment.space, compressors, experiment.task, rng)
        except ValueError as error:
            return [str(error), False]
        except Exception as error:  # what `build` raises
            return [described(error), True]
        return ["", False]


def _failed(evaluation: Evaluation, reason: str) -> Evaluated:
    """What remains of an evaluation whose numbers are not to be believed."""
    return Evaluated(
        replace(
            evaluation,
            status=Status.FAILED,
            reason=reason,
            metrics={},
            history=(),
            file_length=None,
        )
    )


def _with_files(evaluation: Evaluation, trained: TrainedCandidate | None) -> Evaluated:
    if trained is None:
        return Evaluated(evaluation)
    return Evaluated(evaluation, checkpoint.encoded(trained.model), trained.packed)
