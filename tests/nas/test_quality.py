from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from nas.objective import Epoch, Evaluation, Objective, Status
from nas.quality import KINDS, QUALITIES, check_task_kind

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 60)
LOGITS = RNG.normal(size=(60, 4)) + 2.0 * np.eye(4)[LABELS]
TWO = (LABELS > 1).astype(np.int64)
ONE = np.round(RNG.normal(size=(60, 1)) + TWO[:, None], 1)
TARGETS = RNG.normal(size=(60, 3))
OUTPUTS = TARGETS + 0.3 * RNG.normal(size=(60, 3))


def measured(name: str, outputs: NDArray[Any], labels: NDArray[Any]) -> float:
    return QUALITIES[name].measured(outputs, labels)


def test_metrics_of_classes_are_those_of_scikit_learn() -> None:
    taken, shares = LOGITS.argmax(1), np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    expected = {
        "accuracy": metrics.accuracy_score(LABELS, taken),
        "balanced_accuracy": metrics.balanced_accuracy_score(LABELS, taken),
        "f1": metrics.f1_score(LABELS, taken, average="macro"),
        "auc": metrics.roc_auc_score(LABELS, shares, multi_class="ovr"),
    }
    assert {name: measured(name, LOGITS, LABELS) for name in expected} == pytest.approx(expected)


def test_metrics_of_one_logit_are_those_of_scikit_learn() -> None:
    taken = ONE[:, 0] > 0
    expected = {
        "accuracy": metrics.accuracy_score(TWO, taken),
        "balanced_accuracy": metrics.balanced_accuracy_score(TWO, taken),
        "f1": metrics.f1_score(TWO, taken),
        "auc": metrics.roc_auc_score(TWO, ONE[:, 0]),  # with ties
    }
    assert {name: measured(name, ONE, TWO) for name in expected} == pytest.approx(expected)
    both = np.concatenate([np.zeros_like(ONE), ONE], 1)
    assert measured("auc", both, TWO) == pytest.approx(expected["auc"])


def test_metrics_of_targets_are_those_of_scikit_learn() -> None:
    expected = {
        "mae": metrics.mean_absolute_error(TARGETS, OUTPUTS),
        "rmse": metrics.mean_squared_error(TARGETS, OUTPUTS) ** 0.5,
        "r2": metrics.r2_score(TARGETS, OUTPUTS),
    }
    assert {name: measured(name, OUTPUTS, TARGETS) for name in expected} == pytest.approx(expected)
    assert measured("mae", OUTPUTS[:, :1], TARGETS[:, 0]) < 0.5  # targets [N] beside outputs [N, 1]


def test_metrics_stay_finite_where_they_are_not_defined() -> None:
    same = np.ones(5, np.int64)
    assert measured("auc", ONE[:5], same) == 0.5
    assert measured("f1", -np.ones((5, 1)), 0 * same) == 0.0
    assert measured("r2", np.ones((5, 1)), same) == 1.0
    assert measured("r2", np.zeros((5, 1)), same) == 0.0


def test_kinds_have_the_metrics_that_an_objective_names() -> None:
    assert KINDS["classification"].measured(["accuracy", "macs"]) == ("accuracy",)
    assert KINDS["classification"].measured(["f1"]) == ("accuracy", "f1")
    assert KINDS["regression"].measured(["mae"]) == ("r2", "mae", "rmse")
    assert Objective(maximize=(), minimize=("macs", "mae")).quality("regression") == "mae"
    assert Objective(maximize=(), minimize=("macs",)).quality("regression") == "r2"
    assert Objective().quality() == "accuracy"
    with pytest.raises(ValueError, match="the kind of a task must be one of"):
        check_task_kind("ranking")


def evaluation(status: Status, *history: float, **metrics: float) -> Evaluation:
    curve = tuple(Epoch(1.0, accuracy) for accuracy in history)
    return Evaluation(
        id=0,
        genotype=(),
        design={},
        status=status,
        reason="",
        metrics=metrics,
        seconds=0.0,
        history=curve,
    )


def test_fitness_of_errors_and_of_r2_is_finite_and_in_order() -> None:
    objective = Objective(maximize=("r2",), minimize=("mae",))
    good, poor = (evaluation(Status.OK, r2=r2, mae=mae) for r2, mae in ((0.5, 0.25), (-3.0, 4.0)))
    assert objective.fitness(good) == (0.5, 0.8)
    assert objective.fitness(poor) == (0.0, 0.2)
    assert objective.fitness(evaluation(Status.STOPPED, 0.1, 0.4)) == (0.4, 0.0)
    # No curve has it, so that a stopped candidate is the worst.
    assert Objective(maximize=("auc",)).fitness(evaluation(Status.STOPPED, 0.9)) == (0.0,)
