"""When weights are removed: from the share of a training phase that is done, 0 to 1, to the share
of the removal, 0 to 1.

Any such function will do. Between 0 and its end each of these rises; then the mask stays, and the
weights that are left go on being trained. Parameters are set with functools.partial.
"""

from collections.abc import Sequence

from nas.mask import Schedule


def one_shot(progress: float) -> float:  # noqa: ARG001 - it is all the same
    """All at once, before the first step."""
    return 1.0


def constant(progress: float, begin: float = 0.25) -> float:
    """All at once, when `begin` is reached."""
    return 1.0 if progress >= begin else 0.0


def polynomial(progress: float, power: float, begin: float = 0.0, end: float = 0.75) -> float:
    """1 - (1 - t)^power, where t goes from 0 at `begin` to 1 at `end`: fast at first, while there
    is much to remove.
    """
    if not 0.0 <= begin < end <= 1.0 or power <= 0.0:
        raise ValueError(
            f"a schedule needs 0 <= begin < end <= 1 and a positive power, but got {begin}, {end} and {power}"
        )
    return float(1.0 - (1.0 - min(max((progress - begin) / (end - begin), 0.0), 1.0)) ** power)


def linear(progress: float, begin: float = 0.0, end: float = 0.75) -> float:
    """The same with every step."""
    return polynomial(progress, 1.0, begin, end)


def cubic(progress: float, begin: float = 0.0, end: float = 0.75) -> float:
    """Automated gradual pruning (Zhu and Gupta, 2017)."""
    return polynomial(progress, 3.0, begin, end)


def ratios(schedule: Schedule, final: float, rounds: int) -> Sequence[float]:
    """The share that is removed after each of so many rounds, the last of which is `final`."""
    if rounds < 1:
        raise ValueError(f"there must be at least 1 round, but got {rounds}")
    return [final * schedule(turn / rounds) for turn in range(1, rounds)] + [final]
