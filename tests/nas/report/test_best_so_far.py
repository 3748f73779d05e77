from collections.abc import Sequence

from hypothesis import given

from nas.objective import Evaluation, Objective, Status, best
from nas.report.best_so_far import improvements
from tests.nas.evaluations import OBJECTIVES, runs
from tests.nas.report.runs import OBJECTIVE, trial


@given(runs(), OBJECTIVES)
def test_the_last_improvement_before_any_moment_is_the_best_then(
    evaluations: Sequence[Evaluation], objective: Objective
) -> None:
    found = improvements(evaluations, objective)
    for count in range(len(evaluations) + 1):
        known = [step.evaluation for step in found if step.evaluation.id < count]
        assert (known[-1] if known else None) == best(evaluations[:count], objective)


def test_improvements_are_counted_by_trials() -> None:
    over = [trial(1, Status.OVER_BUDGET, size=9000.0)]
    found = improvements([trial(0, accuracy=0.5), *over, trial(2, accuracy=0.75)], OBJECTIVE)
    assert [(step.trial, step.evaluation.id) for step in found] == [(1, 0), (2, 2)]


def test_more_epochs_come_before_more_accuracy() -> None:
    short, full = trial(0, accuracy=0.75, epochs=1.0), trial(1, accuracy=0.5, epochs=8.0)
    assert [step.evaluation.id for step in improvements([short, full], OBJECTIVE)] == [0, 1]
    assert [step.evaluation.id for step in improvements([full, short], OBJECTIVE)] == [1]
