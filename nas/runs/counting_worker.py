"""What a run asks about candidates that are not to be trained: in a process of its own, because to build
one may end a process, and the answer must not wait for trainings.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from nas.evaluation.coded_size import SizePrediction
from nas.executors import UnansweredError, Workers
from nas.runs.candidate_requests import built_request, facts_request, kinds_request, read_facts
from nas.space import Genotype
from nas.strategy import Facts

SECONDS = 120.0
"""What an answer may take, if a trial has no shorter time."""


@dataclass(frozen=True)
class CountingWorker:
    """Asks `workers`, of which one is enough; an answer may take `seconds`."""

    workers: Workers
    seconds: float = SECONDS
    _unbuildable: set[Genotype] = field(default_factory=set)

    def facts(self, genotype: Genotype, prediction: SizePrediction) -> Facts:
        """As `Evaluator.facts`; what ends the process is like what cannot be built."""
        if genotype in self._unbuildable:  # a second time would cost as much
            return Facts({}, inf)
        try:
            return read_facts(self._ask(facts_request(genotype, prediction)))
        except UnansweredError:
            self._unbuildable.add(genotype)
            return Facts({}, inf)

    def built(self, genotype: Genotype) -> Mapping[str, Any]:
        """As `built_network`."""
        if genotype in self._unbuildable:
            return {}
        try:
            found: Mapping[str, Any] = json.loads(self._ask(built_request(genotype)))
        except UnansweredError:
            self._unbuildable.add(genotype)
            return {}
        return found

    def check_kinds(self) -> None:
        """As `check_kinds`; nothing is known if a candidate ends the process.

        Raises:
            ValueError: if a kind of choice has no effect.
            RuntimeError: if no candidate can be built.
        """
        try:
            problem, of_build = json.loads(self._ask(kinds_request()))
        except UnansweredError:
            return
        if problem:
            raise RuntimeError(problem) if of_build else ValueError(problem)

    def _ask(self, request: bytes) -> bytes:
        return self.workers.submit(request, lambda: self.seconds).result()
