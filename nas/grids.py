"""Numeric ranges as finite options, so that a space can be counted and listed."""

import math

import numpy as np


def _check(count: int, low: float, high: float) -> None:
    points = count == 1 if low == high else count > 1
    if not points or not -math.inf < low <= high < math.inf:
        raise ValueError(
            "a grid must have finite low < high and at least 2 points, or low = high and 1 point, "
            f"but got {count} from {low} to {high}"
        )


def uniform(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` evenly spaced numbers from `low` to `high`, both included.

    Raises:
        ValueError: if the range is empty or not finite, or `count` does not suit it.
    """
    _check(count, low, high)
    return tuple(np.linspace(low, high, count).tolist())


def log_uniform(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` numbers from `low` to `high`, both included, with a constant ratio between neighbors.

    Raises:
        ValueError: if `low` is not positive, the range is empty or not finite, or `count` does not
            suit it.
    """
    _check(count, low, high)
    if low <= 0:
        raise ValueError(f"a logarithmic grid must start above 0, but got {low}")
    return tuple(np.geomspace(low, high, count).tolist())


def integers(low: int, high: int, step: int = 1) -> tuple[int, ...]:
    """The whole numbers from `low` to at most `high` in steps of `step`.

    Raises:
        ValueError: if the range is empty or `step` not positive.
    """
    if step < 1 or low > high:
        raise ValueError(
            f"an integer grid must have step >= 1 and low <= high, but got step {step} from {low} to {high}"
        )
    return tuple(range(low, high + 1, step))
