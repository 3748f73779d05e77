import math
from collections.abc import Sequence
from itertools import pairwise, product

import pytest
from hypothesis import given, settings

from nas.objective import (
    Budget,
    Evaluation,
    Objective,
    best,
    hypervolume,
    nearest_to_budget,
    pareto_front,
)
from tests.nas.evaluations import FAILED, OBJECTIVES, OK, OVER, evaluation, runs


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
