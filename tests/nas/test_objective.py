import math
from collections.abc import Mapping, Sequence
from itertools import pairwise, product

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
    hypervolume,
    nearest_to_budget,
    pareto_front,
)
from nas.soft_target import SoftTarget

OK, OVER, FAILED, STOPPED = Status.OK, Status.OVER_BUDGET, Status.FAILED, Status.STOPPED

SHARES = st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0])
COSTS = st.floats(0, 1e300) | st.integers(0, 10)
LIMITS = st.floats(1e-9, 1e300) | st.integers(1, 10)


def evaluation(
    metrics: Metrics, status: Status = OK, id: int = 0, epochs: float | None = None
) -> Evaluation:
    return Evaluation(
        id=id,
        genotype=(id,),
        design={},
        status=status,
        reason="",
        metrics=metrics,
        seconds=0.0,
        epochs=epochs,
    )


@st.composite
def runs(draw: st.DrawFn) -> list[Evaluation]:
    """Evaluations with few values, so that many are equal in one metric or in all."""
    found = []
    for id in range(draw(st.integers(0, 9))):
        status = draw(st.sampled_from([OK, OK, OK, OVER, FAILED]))
        costs = {"size": float(draw(st.integers(1, 4))), "macs": float(draw(st.integers(1, 4)))}
        trained = {"accuracy": draw(st.sampled_from([0.25, 0.5, 0.75])), **costs}
        found.append(evaluation({OK: trained, OVER: costs, FAILED: {}}[status], status, id))
    return found


OBJECTIVES = st.builds(
    Objective,
    maximize=st.just(("accuracy",)),
    minimize=st.sampled_from([(), ("size",), ("size", "macs")]),
    budget=st.builds(
        Budget, st.sampled_from([{}, {"size": 3}, {"size": 2, "macs": 2}, {"macs": 0.5}])
    ),
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
    for maximize, minimize, metrics, told in (
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
        assert str(caught.value) == told
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


def meet(evaluations: Sequence[Evaluation], objective: Objective) -> list[Evaluation]:
    """Trained and within the budget, limit by limit."""
    limits = objective.budget.limits.items()
    return [
        e
        for e in evaluations
        if e.status is OK and all(e.metrics[name] <= limit for name, limit in limits)
    ]


def dominates(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return one != two and all(a >= b for a, b in zip(one, two, strict=True))


@settings(deadline=None)
@given(runs(), OBJECTIVES)
def test_the_best_is_the_earliest_that_no_other_one_ranks_above(
    evaluations: list[Evaluation], objective: Objective
) -> None:
    ranked = sorted(
        meet(evaluations, objective),
        key=lambda e: ([-value for value in objective.fitness(e)], e.id),
    )
    assert best(iter(evaluations), objective) == (ranked[0] if ranked else None)


@settings(deadline=None)
@given(runs(), OBJECTIVES)
def test_the_front_is_what_no_other_one_dominates(
    evaluations: list[Evaluation], objective: Objective
) -> None:
    fitness = {e.id: objective.fitness(e) for e in meet(evaluations, objective)}
    expected = {
        id
        for id, value in fitness.items()
        if not any(dominates(other, value) for other in fitness.values())
        and not any(other == value for earlier, other in fitness.items() if earlier < id)
    }
    front = pareto_front(iter(evaluations), objective)
    assert {e.id for e in front} == expected
    assert len(front) == len(expected)
    assert [fitness[e.id] for e in front] == sorted((fitness[id] for id in expected), reverse=True)
    assert front[:1] == [e for e in [best(evaluations, objective)] if e is not None]


@settings(deadline=None)
@given(runs(), OBJECTIVES)
def test_the_nearest_exceeds_the_budget_least(
    evaluations: list[Evaluation], objective: Objective
) -> None:
    excess = {
        e.id: objective.budget.excess(e.metrics) for e in evaluations if e.status is not FAILED
    }
    found = nearest_to_budget(iter(evaluations), objective)
    assert (None if found is None else found.id) == min(
        excess, key=lambda id: (excess[id], id), default=None
    )


def test_where_nothing_was_found_there_is_no_best_no_front_and_none_nearest() -> None:
    nothing: tuple[list[Evaluation], ...] = ([], [evaluation({}, FAILED)])
    for evaluations in nothing:
        assert best(evaluations, Objective()) is None
        assert pareto_front(evaluations, Objective()) == []
        assert nearest_to_budget(evaluations, Objective()) is None


def test_another_objective_judges_a_run_anew() -> None:
    small, large = (
        evaluation({"accuracy": 0.5, "size": 10.0}, OK, 0),
        evaluation({"accuracy": 0.9, "size": 90.0}, OK, 1),
    )
    untrained = evaluation({"size": 200.0}, OVER, 2)
    run = [small, large, untrained]
    for limits, leader, front, close in (
        ({"size": 100}, large, [large, small], small),
        ({"size": 50}, small, [small], small),
        ({"size": 5}, None, [], small),
        ({"size": 1000}, large, [large, small], small),
        ({}, large, [large, small], small),
    ):
        objective = Objective(maximize=("accuracy",), minimize=("size",), budget=Budget(limits))
        assert best(run, objective) is leader
        assert pareto_front(run, objective) == front
        assert nearest_to_budget(run, objective) is close


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


def test_only_candidates_of_the_highest_fidelity_are_compared() -> None:
    """A short training may look better than a full one; only a full one is a result."""
    full = [
        evaluation({"accuracy": 0.5, "size": size}, OK, id, None)
        for id, size in enumerate((3.0, 5.0))
    ]
    short = [
        evaluation({"accuracy": 0.9, "size": 1.0}, OK, id, epochs)
        for id, epochs in ((2, 9.0), (3, 27.0), (4, 3.0))
    ]
    objective = Objective(maximize=("accuracy",), minimize=("size",), budget=Budget({"size": 10.0}))
    for run, leader, front in (
        (short + full, full[0], [full[0]]),
        (short, short[1], [short[1]]),
        (short[::2], short[0], [short[0]]),
        (
            [*short, evaluation({"accuracy": 0.5, "size": 20.0}, OVER, 5, None)],
            short[1],
            [short[1]],
        ),
    ):
        assert best(run, objective) is leader
        assert pareto_front(run, objective) == front
        assert hypervolume(run, objective) == pytest.approx(math.prod(objective.fitness(leader)))


@settings(deadline=None)
@given(runs(), OBJECTIVES)
def test_the_hypervolume_is_the_share_of_fitnesses_that_the_front_dominates(
    evaluations: list[Evaluation], objective: Objective
) -> None:
    corners = [objective.fitness(e) for e in pareto_front(evaluations, objective)]
    grids = [
        sorted({0.0, *(corner[axis] for corner in corners)})
        for axis in range(1 + len(objective.minimize))
    ]
    # The fitnesses cut the space into boxes, each of which is dominated as a whole or not at all.
    expected = 0.0
    for box in product(*(list(pairwise(grid)) for grid in grids)):
        if any(
            all(corner[axis] >= high for axis, (_, high) in enumerate(box)) for corner in corners
        ):
            expected += math.prod(high - low for low, high in box)
    assert hypervolume(iter(evaluations), objective) == pytest.approx(expected)


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
