import math

import pytest

from nas.tabular.query_budget import MaxQueries, MaxSeconds


def test_each_budget_limits_one_of_the_two() -> None:
    assert MaxQueries(3).allows(3, 1e9)
    assert not MaxQueries(3).allows(4, 0.0)
    assert MaxSeconds(2.5).allows(10**9, 2.5)
    assert not MaxSeconds(2.5).allows(1, 2.6)


@pytest.mark.parametrize("limit", [0, -1, math.nan, math.inf])
def test_limits_that_are_not_positive_and_finite_are_refused(limit: float) -> None:
    with pytest.raises(ValueError, match=f"queries must be positive and finite, but got {limit}"):
        MaxQueries(limit)
    with pytest.raises(ValueError, match=f"seconds must be positive and finite, but got {limit}"):
        MaxSeconds(limit)
