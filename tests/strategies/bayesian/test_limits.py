import numpy as np
import pytest

from nas.objective import Budget
from strategies.bayesian.limits import Limits

LIMITS = {"macs": 100.0, "bytes": 30.0}


def seen(count: int, limits: dict[str, float]) -> Limits:
    rng, found = np.random.default_rng(0), Limits()
    for row in rng.uniform(1, 200, size=(count, 3)).tolist():
        costs = dict(zip(("macs", "bytes", "free"), row, strict=True))
        found.see(costs, Budget(limits).excess(costs))
    return found


def test_limits_are_found_out_from_the_excess_and_free_costs_are_not_taken_for_limited() -> None:
    assert seen(300, LIMITS).known == pytest.approx(LIMITS)


def test_one_excess_is_no_proof() -> None:
    found = Limits()
    found.see({"macs": 150.0, "bytes": 20.0}, 0.5)
    found.see({"macs": 150.0, "bytes": 20.0}, 0.5)
    assert not found.known
    found.see({"macs": 130.0, "bytes": 10.0}, 0.3)
    assert found.known == pytest.approx({"macs": 100.0})


def test_without_a_budget_nothing_is_limited() -> None:
    assert not seen(300, {}).known


def test_the_share_used_is_that_of_the_tightest_limit() -> None:
    used = seen(300, LIMITS).used(
        ("bytes", "free", "macs"), np.array([[15.0, 999.0, 20.0], [3.0, 0.0, 90.0]])
    )
    assert used == pytest.approx([0.5, 0.9])
