import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.soft_target import SoftTarget


def test_the_reward_is_that_of_mnasnet() -> None:
    for gain, cost, target, exponent in (
        (0.9, 80.0, 80.0, -0.07),
        (0.75, 120.0, 80.0, -0.07),
        (0.5, 10.0, 80.0, -1.0),
    ):
        reward = gain * (cost / target) ** exponent
        assert SoftTarget("ms", target, exponent).reward(gain, {"ms": cost}) == pytest.approx(
            reward / (1 + reward)
        )


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1e300),
    st.floats(0, 1e300),
    st.floats(1e-300, 1e300),
    st.floats(-1e3, -1e-3),
)
def test_it_lies_in_0_to_1_and_more_gain_or_less_cost_is_never_worth_less(
    gain: float, more: float, cost: float, less: float, target: float, exponent: float
) -> None:
    soft = SoftTarget("ms", target, exponent)
    worse, better = (
        soft.reward(g, {"ms": c})
        for g, c in ((min(gain, more), max(cost, less)), (max(gain, more), min(cost, less)))
    )
    assert 0 <= worse <= better <= 1


def test_the_ends_of_the_range() -> None:
    soft = SoftTarget("ms", 1.0)
    assert soft.reward(0.0, {"ms": 0.0}) == soft.reward(0.0, {"ms": 5.0}) == 0.0
    assert soft.reward(0.5, {"ms": 0.0}) == 1.0


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.inf, math.nan])
def test_targets_and_costs_that_cannot_be_are_refused(wrong: float) -> None:
    with pytest.raises(
        ValueError, match=f"the target of 'ms' must be a positive number, but got {wrong}"
    ):
        SoftTarget("ms", wrong)
    with pytest.raises(
        ValueError, match=f"the exponent of 'ms' must be a negative number, but got {-wrong}"
    ):
        SoftTarget("ms", 1.0, -wrong)
    with pytest.raises(ValueError, match="the cost 'ms' must be 0 or more, but got -1"):
        SoftTarget("ms", 1.0).reward(0.5, {"ms": -1.0})
