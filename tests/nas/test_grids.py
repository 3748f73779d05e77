import math
import warnings
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.grids import integers, log_uniform, uniform
from nas.space import Choice

BOUNDS = st.floats(-1e6, 1e6)
COUNTS = st.integers(2, 40)


def test_valid_grids() -> None:
    for grid, expected in (
        (uniform(0, 1, 5), (0.0, 0.25, 0.5, 0.75, 1.0)),
        (uniform(-1, 1, 2), (-1.0, 1.0)),
        (uniform(3, 3, 1), (3.0,)),
        (log_uniform(1e-4, 1e-1, 4), (1e-4, 1e-3, 1e-2, 1e-1)),
        (log_uniform(2, 32, 5), (2.0, 4.0, 8.0, 16.0, 32.0)),
        (log_uniform(5, 5, 1), (5.0,)),
        (integers(1, 4), (1, 2, 3, 4)),
        (integers(8, 30, 8), (8, 16, 24)),
        (integers(-2, 2, 4), (-2, 2)),
        (integers(3, 3), (3,)),
    ):
        assert grid == pytest.approx(expected, rel=1e-12)
        assert {type(number) for number in grid} == {type(expected[0])}, (
            "NumPy's own numbers would not fit into JSON"
        )
        assert Choice("", "lr", grid).options == grid


def test_invalid_grids() -> None:
    nan, inf = math.nan, math.inf
    spans = [
        (1.0, 0.0, 3),
        (0.0, 1.0, 1),
        (0.0, 1.0, 0),
        (1.0, 1.0, 0),
        (1.0, 1.0, 2),
        (0.0, 1.0, -3),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for low, high, count in [
            *spans,
            (nan, 1.0, 2),
            (1.0, nan, 2),
            (1.0, inf, 2),
            (-inf, inf, 3),
            (inf, inf, 1),
        ]:
            for grid in (uniform, log_uniform):
                with pytest.raises(
                    ValueError, match=rf"a grid must have .* but got {count} from {low} to {high}$"
                ):
                    grid(low, high, count)
    for low in (0.0, -1.0):
        with pytest.raises(
            ValueError, match=f"a logarithmic grid must start above 0, but got {low}"
        ):
            log_uniform(low, 1.0, 3)
    for first, last, step in ((1, 0, 1), (1, 5, 0), (1, 5, -1)):
        with pytest.raises(
            ValueError,
            match=f"an integer grid must have step >= 1 and low <= high, but got step {step} from {first} to {last}",
        ):
            integers(first, last, step)


@settings(deadline=None)  # a busy machine is no failure
@given(BOUNDS, st.floats(0.001, 1e6), COUNTS)
def test_uniform_grids_hold_both_ends_and_even_steps(low: float, span: float, count: int) -> None:
    high = low + span
    grid = uniform(low, high, count)
    assert (len(grid), grid[0], grid[-1]) == (count, low, high)
    for one, two in pairwise(grid):
        assert two - one == pytest.approx(span / (count - 1), rel=1e-3, abs=1e-6)


@settings(deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(1.01, 1e6), COUNTS)
def test_logarithmic_grids_hold_both_ends_and_even_ratios(
    low: float, factor: float, count: int
) -> None:
    high = low * factor
    grid = log_uniform(low, high, count)
    assert (len(grid), grid[0], grid[-1]) == (count, low, high)
    for one, two in pairwise(grid):
        assert two / one == pytest.approx(factor ** (1 / (count - 1)))


@settings(deadline=None)
@given(st.integers(-1000, 1000), st.integers(0, 1000), st.integers(1, 50))
def test_integer_grids_hold_what_the_steps_reach(low: int, span: int, step: int) -> None:
    assert integers(low, low + span, step) == tuple(
        n for n in range(low, low + span + 1) if (n - low) % step == 0
    )
