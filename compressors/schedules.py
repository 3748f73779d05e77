"""Schedules of gradual pruning: from the progress of a training phase, 0 to 1, to the share of the
weights to remove that have been removed, 0 to 1.

Any such function is a `Schedule`. Those here never decrease and reach 1; from then on the mask is
fixed, and the remaining weights are trained. Parameters are set with functools.partial.
"""

from collections.abc import Sequence

from nas.mask import Schedule


def one_shot(progress: float) -> float:  # noqa: ARG001 - a schedule
    """All weights before the first step."""
    return 1.0


def constant(progress: float, begin: float = 0.25) -> float:
    """All weights at the progress `begin`."""
    return 1.0 if progress >= begin else 0.0


def polynomial(progress: float, power: float, begin: float = 0.0, end: float = 0.75) -> float:
    """1 - (1 - t)^power, where t rises from 0 at `begin` to 1 at `end`: for a power above 1, most
    weights are removed early.

    Raises:
        ValueError: unless 0 <= begin < end <= 1 and the power is positive.
    """
    if not 0.0 <= begin < end <= 1.0 or power <= 0.0:
        raise ValueError(
            f"a schedule must have 0 <= begin < end <= 1 and a positive power, but got {begin}, {end} and {power}"
        )
    return float(1.0 - (1.0 - min(max((progress - begin) / (end - begin), 0.0), 1.0)) ** power)


def linear(progress: float, begin: float = 0.0, end: float = 0.75) -> float:
    """The same number of weights at every step from `begin` to `end`."""
    return polynomial(progress, 1.0, begin, end)


def cubic(progress: float, begin: float = 0.0, end: float = 0.75) -> float:
    """The polynomial of power 3: automated gradual pruning (Zhu and Gupta, 2017)."""
    return polynomial(progress, 3.0, begin, end)


def ratios(schedule: Schedule, final: float, rounds: int) -> Sequence[float]:
    """The share that has been removed after each of `rounds` rounds, `final` after the last.

    Raises:
        ValueError: if there is no round.
    """
    if rounds < 1:
        raise ValueError(f"there must be at least 1 round, but got {rounds}")
    return [final * schedule(turn / rounds) for turn in range(1, rounds)] + [final]
