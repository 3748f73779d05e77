import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.objective import (
    Budget,
    Epoch,
    Evaluation,
    Metrics,
    Objective,
    Status,
    best,
)
from nas.soft_target import SoftTarget
from tests.nas.evaluations import (
    COSTS,
    FAILED,
    LIMITS,
    OK,
    OVER,
    SHARES,
    STOPPED,
    evaluation,
)


def test_the_fitness_of_what_meets_the_budget_lies_in_0_to_1() -> None:
    for maximize, minimize, limits, expected in (
        (("accuracy",), (), {}, (0.75,)),
        (("accuracy", "recall"), (), {"size": 400.0}, (0.75, 0.25)),
        (("accuracy",), ("size",), {"size": 400.0}, (0.75, 0.75)),
        (("accuracy",), ("size",), {"size": 100.0}, (0.75, 0.0)),
        (("accuracy",), ("size",), {"macs": 3.0}, (0.75, 1 / 101)),
        ((), ("macs", "size"), {"size": 200.0}, (0.25, 0.5)),
        ((), ("free",), {"free": 1.0}, (1.0,)),
        ((), ("free",), {}, (1.0,)),
    ):
        found = evaluation(
            {"accuracy": 0.75, "recall": 0.25, "size": 100.0, "macs": 3.0, "free": 0.0}
        )
        assert (
            Objective(maximize=maximize, minimize=minimize, budget=Budget(limits)).fitness(found)
            == expected
        )


def test_the_fitness_of_anything_else_is_below_0_and_says_by_how_much() -> None:
    for status, limits, expected in (
        (OVER, {"size": 80.0}, -0.25),
        (OVER, {"size": 80.0, "macs": 2.0}, -0.5),
        (OVER, {"size": 1.0}, -1.0),
        (OVER, {"size": 5e-324}, -1.0),
        (OK, {"size": 80.0}, -0.25),
        (FAILED, {}, -1.0),
        (FAILED, {"size": 100.0}, -1.0),
    ):
        objective = Objective(
            maximize=("accuracy",), minimize=("size", "macs"), budget=Budget(limits)
        )
        assert (
            objective.fitness(evaluation({"accuracy": 0.9, "size": 100.0, "macs": 3.0}, status))
            == (expected,) * 3
        )
    assert Objective().fitness(evaluation({}, FAILED)) == (-1.0,)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.sampled_from([OK, OVER, FAILED]),
    st.fixed_dictionaries({"accuracy": SHARES, "recall": SHARES, "size": COSTS, "macs": COSTS}),
    st.sampled_from([("accuracy",), ("recall", "accuracy"), ()]),
    st.sampled_from([("size",), ("macs", "size")]),
    st.dictionaries(st.sampled_from(["size", "macs"]), LIMITS),
)
def test_a_fitness_is_finite_and_its_sign_says_whether_the_budget_is_met(
    status: Status,
    metrics: Metrics,
    maximize: tuple[str, ...],
    minimize: tuple[str, ...],
    limits: Mapping[str, float],
) -> None:
    objective = Objective(maximize=maximize, minimize=minimize, budget=Budget(limits))
    fitness = objective.fitness(evaluation(metrics, status))
    assert len(fitness) == len(maximize) + len(minimize)
    assert all(math.isfinite(value) and -1 <= value <= 1 for value in fitness)
    met = status is not FAILED and all(metrics[name] <= limit for name, limit in limits.items())
    assert [value >= 0 for value in fitness] == [met] * len(fitness)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["size", "macs"]), LIMITS), st.data())
def test_a_budget_is_exceeded_exactly_when_it_names_what_exceeds_it(
    limits: Mapping[str, float], data: st.DataObject
) -> None:
    metrics = {
        name: data.draw(st.sampled_from([limit, math.nextafter(limit, math.inf)]) | COSTS)
        for name, limit in limits.items()
    }
    budget = Budget(limits)
    over = [name for name, limit in limits.items() if metrics[name] > limit]
    assert (budget.excess(metrics) > 0) is bool(over)
    assert [part.split()[0] for part in budget.broken(metrics).split(", ") if part] == over


def test_a_budget_tells_what_is_over_it_by_how_much() -> None:
    for limits, excess, broken in (
        ({}, 0.0, ""),
        ({"size": 100.0}, 0.0, ""),
        ({"size": 50.0}, 1.0, "size 100 > 50"),
        ({"size": 50, "latency_ms": 0.25}, 1.0, "size 100 > 50, latency_ms 0.375 > 0.25"),
        ({"size": 1000, "latency_ms": 0.25}, 0.5, "latency_ms 0.375 > 0.25"),
    ):
        metrics = {"size": 100, "latency_ms": 0.375, "accuracy": 0.5}
        assert (Budget(limits).excess(metrics), Budget(limits).broken(metrics)) == (excess, broken)


def test_invalid_budgets_and_objectives() -> None:
    for limit in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(
            ValueError, match=f"the budget of 'size' must be a positive number, but got {limit}"
        ):
            Budget({"macs": 1.0, "size": limit})
    for maximize, minimize in (
        ((), ()),
        (("accuracy", "accuracy"), ()),
        (("size",), ("macs", "size")),
    ):
        with pytest.raises(
            ValueError, match="an objective must name at least one metric and none twice, but got "
        ) as caught:
            Objective(maximize=maximize, minimize=minimize)
        assert str(caught.value).endswith(str(maximize + minimize))


def test_values_that_no_metric_can_have_are_refused() -> None:
    for maximize, minimize, metrics, text in (
        (
            ("accuracy",),
            (),
            {"accuracy": 1.5},
            "the fitness of 'accuracy' must lie in [0, 1], but got 1.5 from 1.5",
        ),
        (
            ("accuracy",),
            (),
            {"accuracy": -0.5},
            "the fitness of 'accuracy' must lie in [0, 1], but got -0.5 from -0.5",
        ),
        (
            (),
            ("size",),
            {"size": -0.5},
            "the fitness of 'size' must lie in [0, 1], but got 2.0 from -0.5",
        ),
    ):
        with pytest.raises(ValueError, match="must lie in") as caught:
            Objective(maximize=maximize, minimize=minimize).fitness(evaluation(metrics))
        assert str(caught.value) == text
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(
            ValueError,
            match=f"the metric 'macs' of candidate 3 must be a finite number, but got {value}",
        ):
            evaluation({"size": 1.0, "macs": value}, id=3)


def test_what_was_not_measured_cannot_be_judged() -> None:
    untrained = evaluation({"size": 100.0}, OVER)
    for objective, missing in (
        (Objective(budget=Budget({"macs": 1})), "macs"),
        (Objective(maximize=(), minimize=("macs",)), "macs"),
        (Objective(budget=Budget({"size": 200})), "accuracy"),
    ):
        with pytest.raises(KeyError, match=missing):
            objective.fitness(untrained)


def test_the_fitness_of_a_stopped_candidate_is_that_of_its_last_accuracy() -> None:
    history = (Epoch(1.0, 0.25), Epoch(0.5, 0.75), Epoch(0.25, 0.5))
    stopped = Evaluation(
        id=0,
        genotype=(0,),
        design={},
        status=STOPPED,
        reason="given up",
        metrics={"size": 100.0},
        seconds=0.0,
        epochs=None,
        history=history,
    )
    for limit, expected in ((400.0, (0.5, 0.75)), (80.0, (-0.25, -0.25))):
        assert (
            Objective(
                maximize=("accuracy",), minimize=("size",), budget=Budget({"size": limit})
            ).fitness(stopped)
            == expected
        )
    assert best([stopped], Objective()) is None


def test_a_soft_target_weighs_the_first_metric_by_a_cost() -> None:
    found = evaluation({"accuracy": 0.75, "recall": 0.25, "size": 200.0})
    for target, exponent, reward in ((200.0, -0.07, 0.75), (50.0, -0.5, 0.375), (800.0, -0.5, 1.5)):
        objective = Objective(
            maximize=("accuracy", "recall"),
            minimize=("size",),
            soft_target=SoftTarget("size", target, exponent),
        )
        assert objective.fitness(found) == pytest.approx((reward / (1 + reward), 0.25, 1 / 201))
    over = Objective(budget=Budget({"size": 100.0}), soft_target=SoftTarget("size", 50.0))
    assert over.fitness(found) == (-1.0,), "a limit stays a limit"
    with pytest.raises(
        ValueError,
        match=r"a soft target must have a metric to maximize, which it weighs, .* \('size',\)",
    ):
        Objective(maximize=(), minimize=("size",), soft_target=SoftTarget("size", 50.0))
