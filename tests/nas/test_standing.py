import pytest
from hypothesis import given, settings

from nas.objective import Evaluation, Objective, best, hypervolume
from nas.standing import Standing
from tests.nas.evaluations import OBJECTIVES, runs


@settings(deadline=None)
@given(runs(), OBJECTIVES)
def test_it_stands_as_when_all_is_looked_at_again(
    evaluations: list[Evaluation], objective: Objective
) -> None:
    standing = Standing(objective)
    for count in range(len(evaluations) + 1):
        seen = evaluations[:count]
        standing.update(seen)
        assert standing.best is best(seen, objective)
        whole = hypervolume(seen, objective)
        few = len(objective.maximize) + len(objective.minimize) <= 2
        assert standing.hypervolume == (whole if few else pytest.approx(whole, rel=1e-12))
        assert standing.counts.total() == count
        assert standing.trials == sum(each.is_trial for each in seen)


@settings(deadline=None)
@given(runs(), OBJECTIVES)
def test_several_at_a_time_are_taken_in_too(
    evaluations: list[Evaluation], objective: Objective
) -> None:
    at_once, one_by_one = Standing(objective), Standing(objective)
    at_once.update(evaluations)
    for count in range(len(evaluations) + 1):
        one_by_one.update(evaluations[:count])
    assert at_once.hypervolume == one_by_one.hypervolume
    assert at_once.counts == one_by_one.counts
