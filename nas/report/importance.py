"""Which choices the accuracy depends on.

For each choice, trials are grouped by its option (a group of its own where it was not active), and the
share of the variance of the metric that lies between the groups is corrected for what chance gives
(epsilon squared, Kelley, 1935): 0 is expected of a choice without effect. A search chooses options
together, so that shares of different choices overlap and need not sum to 1.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import fsum
from statistics import fmean

from nas.objective import Evaluation
from nas.report.shown_trials import hashable

LEAST_TRIALS = 8
INACTIVE = "not active"


@dataclass(frozen=True)
class Importance:
    """What a choice explains: the `share` of the variance, at least 0 (None: as many options as
    trials), how many `options` were tried, and the option whose trials are best on `average`.
    """

    choice: str
    share: float | None
    options: int
    best: Hashable
    average: float


def importances(
    trials: Sequence[Evaluation], metric: str, largest: bool = True
) -> list[Importance]:
    """The importance of each choice that differs among these trials, the largest first.

    With `largest` the best option is that of the largest average, else of the smallest. Gives
    nothing of fewer than `LEAST_TRIALS` trials, or if the metric is the same in all.
    """
    values = [each.metrics[metric] for each in trials]
    if len(trials) < LEAST_TRIALS or max(values) == min(values):
        return []
    names = dict.fromkeys(name for each in trials for name in each.design)
    found = list[Importance]()
    for name in names:
        groups = dict[Hashable, list[float]]()
        for each, value in zip(trials, values, strict=True):
            option = hashable(each.design[name]) if name in each.design else INACTIVE
            groups.setdefault(option, []).append(value)
        if len(groups) > 1:
            averages = {option: fmean(group) for option, group in groups.items()}
            best = (max if largest else min)(averages, key=averages.__getitem__)
            share = explained([*groups.values()])
            found.append(Importance(name, share, len(groups), best, averages[best]))
    return sorted(found, key=lambda each: -1.0 if each.share is None else each.share, reverse=True)


def explained(groups: Sequence[Sequence[float]]) -> float | None:
    """Epsilon squared of groups that are not all equal, at least 0; None if each has one value."""
    count = sum(map(len, groups))
    free = count - len(groups)
    if free == 0:
        return None
    within = sum(map(_squares, groups)) / free
    total = _squares([value for group in groups for value in group]) / (count - 1)
    return max(0.0, 1.0 - within / total)


def _squares(values: Sequence[float]) -> float:
    """The sum of the squared differences from the mean."""
    mean = fmean(values)
    return fsum((value - mean) ** 2 for value in values)
