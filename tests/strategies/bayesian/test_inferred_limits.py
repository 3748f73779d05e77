import numpy as np
import pytest

from nas.objective import Budget
from strategies.bayesian.inferred_limits import InferredLimits

LIMITS = {"macs": 100.0, "bytes": 30.0}


def inferred(count: int, limits: dict[str, float]) -> InferredLimits:
    rng, found = np.random.default_rng(0), InferredLimits()
    for row in rng.uniform(1, 200, size=(count, 3)).tolist():
        costs = dict(zip(("macs", "bytes", "free"), row, strict=True))
        found.observe(costs, Budget(limits).excess(costs))
    return found


def test_limits_follow_from_the_excess_and_unlimited_costs_have_none() -> None:
    assert inferred(300, LIMITS).known == pytest.approx(LIMITS)


def test_one_excess_proves_no_limit() -> None:
    found = InferredLimits()
    found.observe({"macs": 150.0, "bytes": 20.0}, 0.5)
    found.observe({"macs": 150.0, "bytes": 20.0}, 0.5)
    assert not found.known
    found.observe({"macs": 130.0, "bytes": 10.0}, 0.3)
    assert found.known == pytest.approx({"macs": 100.0})


def test_without_a_budget_nothing_is_limited() -> None:
    assert not inferred(300, {}).known


def test_the_utilization_is_that_of_the_tightest_limit() -> None:
    utilization = inferred(300, LIMITS).utilization(
        ("bytes", "free", "macs"), np.array([[15.0, 999.0, 20.0], [3.0, 0.0, 90.0]])
    )
    assert utilization == pytest.approx([0.5, 0.9])
