"""Budgets of the file for networks that are trained from scratch."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from nas.data import Task
from nas.evaluation.coded_size import ANY_SIZE, SizePrediction
from nas.evaluation.repair import REPAIRABLE
from nas.experiment import Experiment
from nas.objective import Evaluation, Status
from nas.runs.journal import read_journal
from nas.runs.retrain import restored
from nas.runs.run import run
from nas.runs.summary import summary
from nas.space import Choice, Choices
from nas.strategy import Proposal
from tests.nas.evaluation.trained_spaces import trained_space
from tests.nas.evaluators import DEEP, Space, evaluator, same


class FewerBits(Space):
    """Bits that can go down."""

    choices = Choices(
        [
            Choice("", "depth", (1, 2)),
            Choice("hidden", "width", (4, 8), ("depth", frozenset({2}))),
            Choice("hidden", "bits", (2, 3, 4, 6, 8), ("depth", frozenset({2}))),
            Choice("head", "bits", (2, 3, 4, 6, 8)),
        ]
    )


EIGHT = (1, 1, 4, 4)


def length_of(task: Task) -> int:
    """The length of the trained file of the candidate of 8 bits."""
    found, trained = evaluator(task, space=FewerBits())(0, Proposal(EIGHT))
    assert found.file_length is None
    assert trained is not None
    return len(trained.packed)


@pytest.mark.parametrize("room", [1, 0])
def test_a_candidate_is_trained_up_to_the_error_over_its_limit(tiny_task: Task, room: int) -> None:
    predicted = evaluator(tiny_task, limits={"size_bytes": 1e6}).facts(DEEP).costs["size_bytes"]
    prediction = SizePrediction(error=0.2)
    limit = predicted * math.exp(-0.2) + (1e-6 if room else -1e-6)
    limited = evaluator(tiny_task, limits={"size_bytes": limit})
    found, _ = limited(0, Proposal(DEEP), prediction=prediction)
    assert bool(found.history) == bool(room)
    facts = limited.facts(DEEP, prediction)
    assert facts.costs["size_bytes"] == predicted
    assert facts.excess == predicted / limit - 1
    if not room:
        assert found.status is Status.OVER_BUDGET
        assert found.metrics == facts.costs
        assert not found.is_trial


def test_predictions_take_what_was_learnt(tiny_task: Task) -> None:
    limited = evaluator(tiny_task, limits={"size_bytes": 1e6})
    first = limited.facts(DEEP).costs["size_bytes"]
    learnt = SizePrediction({name: math.log(0.5) for name in ("4", "8", "rest")})
    assert limited.facts(DEEP, learnt).costs["size_bytes"] == pytest.approx(first / 2, abs=1)
    found, trained = limited(0, Proposal(DEEP), prediction=learnt)
    assert trained is not None
    assert found.file_length is not None
    assert found.file_length.predicted == pytest.approx(first / 2, abs=1)
    assert found.file_length.found == len(trained.packed) == found.metrics["size_bytes"]


def test_a_file_a_few_per_cent_too_long_is_repaired(tiny_task: Task) -> None:
    length = length_of(tiny_task)
    limit = math.ceil(length / (0.99 * REPAIRABLE))
    limited = evaluator(tiny_task, space=FewerBits(), limits={"size_bytes": limit})
    found, trained = limited(0, Proposal(EIGHT), prediction=ANY_SIZE)
    assert (found.status, found.reason) == (Status.OK, "")
    assert found.metrics["size_bytes"] <= limit
    assert found.design != FewerBits.choices.decode(EIGHT)
    assert len(found.history) > 3
    assert found.file_length is not None
    assert found.file_length.found == length, "predictions are compared with what was not repaired"
    again, same_one = limited(0, Proposal(EIGHT), prediction=SizePrediction(error=9.0))
    assert again.metrics == found.metrics
    assert same(trained, same_one)


def test_a_file_far_too_long_is_over_budget_with_its_length(tiny_task: Task) -> None:
    length = length_of(tiny_task)
    limit = int(length / (1.01 * REPAIRABLE))
    limited = evaluator(tiny_task, space=FewerBits(), limits={"size_bytes": limit})
    found, trained = limited(0, Proposal(EIGHT), prediction=ANY_SIZE)
    assert (found.status, trained) == (Status.OVER_BUDGET, None)
    assert found.metrics["size_bytes"] == length
    assert found.reason == f"size_bytes {length} > {limit} when trained"
    assert found.is_trial
    assert found.file_length is not None


def test_flash_is_a_limit_of_its_own(tiny_task: Task) -> None:
    flash = evaluator(tiny_task).facts(DEEP).costs["flash_bytes"]
    within = evaluator(tiny_task, limits={"flash_bytes": flash})
    found, trained = within(0, Proposal(DEEP))
    assert trained is not None
    assert found.metrics["size_bytes"] < found.metrics["flash_bytes"] <= flash
    assert (within.facts(DEEP).excess, found.file_length) == (0.0, None)
    limits = {"flash_bytes": flash - 1, "size_bytes": flash}
    over = evaluator(tiny_task, limits=limits)
    found, trained = over(0, Proposal(DEEP))
    assert (found.status, trained) == (Status.OVER_BUDGET, None)
    assert found.reason == f"flash_bytes {flash:g} > {flash - 1:g}"
    assert over.facts(DEEP).excess == pytest.approx(1 / (flash - 1))


def comparable(evaluations: tuple[Evaluation, ...]) -> list[object]:
    return [
        (e.genotype, e.design, e.status, e.reason, e.metrics, e.history, e.file_length)
        for e in evaluations
    ]


@pytest.mark.parametrize("window", [1, 3])
def test_a_resumed_run_predicts_as_one_that_was_not_interrupted(
    tiny: Callable[..., Experiment], tmp_path: Path, window: int
) -> None:
    def experiment(trials: int) -> Experiment:
        return tiny({"size_bytes": 185.0}, space=FewerBits(), trials=trials, window=window)

    whole = run(experiment(8), tmp_path / "whole")
    for trials in (3, 5, 8):
        parts = run(experiment(trials), tmp_path / "parts")
    assert comparable(parts.evaluations) == comparable(whole.evaluations)
    _, stored = read_journal(tmp_path / "parts")
    assert [e.file_length for e in stored] == [e.file_length for e in whole.evaluations]
    lengths = [e.file_length for e in whole.evaluations if e.file_length is not None]
    assert len(lengths) == 8
    assert summary(tmp_path / "whole")["size_prediction"]["files"] == 8
    repaired = [
        e
        for e in stored
        if e.status is Status.OK and e.design != FewerBits.choices.decode(e.genotype)
    ]
    for each in repaired[:1]:
        restored(experiment(8), tmp_path / "parts", each)


def test_runs_say_what_their_limit_of_size_means(
    tiny: Callable[..., Experiment], tiny_task: Task
) -> None:
    assert tiny({"size_bytes": 200.0}).describe()["size_bytes"] == "predicted"
    assert "size_bytes" not in tiny().describe()
    assert "size_bytes" not in tiny({"flash_bytes": 200.0}).describe()
    # Epochs before compression change the weights, so the file is not known.
    trained = tiny({"size_bytes": 200.0}, space=trained_space(tiny_task))
    assert trained.describe()["size_bytes"] == "predicted"
