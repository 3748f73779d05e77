"""1 to 15, and what of it evaluators, runs and executors are not tested for beside their code."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nas.executors import InProcess, Task
from nas.objective import Status
from nas.program import Program
from nas.runs.journal import open_journal, read_journal
from nas.runs.resume import ResumableEvaluations
from nas.runs.run import run
from nas.runs.time_limits import CandidateLimit, SearchLimit
from nas.space import Choice, Choices
from nas.strategy import Proposal
from nas.training.fit import cross_entropy
from nas.training.recipe import Recipe
from tests.faults.candidates import harmful
from tests.nas.runs.experiments import Make

CHOICES = Choices(
    [Choice("", "op", ("a", "b")), Choice("", "width", (1, 2), ("op", frozenset("b")))]
)


@dataclass(frozen=True)
class Latency:
    """A device that gives whatever it is told to."""

    said: Any
    name: str = "made up"

    def latency(self, program: Program) -> Any:
        return self.said


@pytest.mark.fault(3)
@pytest.mark.parametrize("said", [None, "fast", float("nan"), float("inf"), -1.0])
def test_a_metric_that_is_no_number_is_a_failure(said: object, tiny: Make) -> None:
    evaluator = tiny(device=Latency(said)).evaluator(cross_entropy)
    evaluation, trained = evaluator(0, Proposal((0, 0, 0, 0)))
    assert evaluation.status is Status.FAILED
    assert evaluation.reason
    assert trained is None


@pytest.mark.fault(8)
def test_where_memory_ends_the_next_one_may_fit(tiny: Make) -> None:
    left = [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")]

    def loss(logits: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        if left:
            raise left.pop()
        return cross_entropy(logits, labels, index)

    evaluator = tiny().evaluator(loss)
    first, second = (evaluator(id, Proposal((0, 0, 0, 0)))[0] for id in range(2))
    assert first.status is Status.FAILED
    assert first.reason.startswith("OutOfMemoryError: CUDA out of memory.")
    assert second.status is Status.OK


@dataclass(frozen=True)
class Answering:
    """Workers that give one answer to all."""

    answer: bytes

    def submit(self, request: bytes, limit: Callable[[], float]) -> Task:
        return self

    def result(self) -> bytes:
        return self.answer

    def cancel(self) -> bool:
        return True


@contextmanager
def answered(out: Path, answer: bytes) -> Iterator[ResumableEvaluations]:
    with open_journal(out, {"seed": 0}) as journal:
        yield ResumableEvaluations(
            choices=CHOICES,
            workers=Answering(answer),
            journal=journal,
            out=out,
            window=1,
            curves=False,
            trial_limit=CandidateLimit(1.0, journal.evaluations, Recipe()),
            search_limit=SearchLimit(),
            check_signals=lambda: None,
        )


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    "answer",
    [b"", b"{", b"[]\n", b"[{}, 0, 0]\n", b"\xff\xfe", b"[" * 9999, b'[{"id": 0}, 5, 5]\nab'],
)
def test_a_malformed_result_is_a_failure(answer: bytes, tmp_path: Path) -> None:
    with answered(tmp_path, answer) as evaluations:
        found = evaluations.submit(0, Proposal((0, 0)))()
    assert found.status is Status.FAILED
    assert found.reason.startswith("the answer of a worker must be an evaluation, but")
    assert read_journal(tmp_path)[1] == [found]


def test_a_proposal_that_is_not_canonical_is_refused_at_once(tmp_path: Path) -> None:
    with answered(tmp_path, b"") as evaluations:
        with pytest.raises(
            ValueError, match=r"canonical genotypes, such as \(0, 0\), but proposed \(0, 1\)"
        ):
            evaluations.submit(0, Proposal((0, 1)))
        with pytest.raises(ValueError, match="gene of 'width' must be in 0 … 1, but got 7"):
            evaluations.submit(0, Proposal((1, 7)))


@pytest.mark.fault(63)
def test_the_next_candidate_finds_warnings_and_environment_as_they_were(tmp_path: Path) -> None:
    filters, environment = [*warnings.filters], dict(os.environ)
    found = run(harmful("filters", "environment", "none"), tmp_path, executor=InProcess())
    assert [*warnings.filters] == filters
    assert dict(os.environ) == environment
    assert [each.status for each in found.evaluations if each.design["harm"] == "none"] == [
        Status.OK
    ] * 2
