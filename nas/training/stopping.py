"""Which candidates are not worth training to the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Protocol

from nas.objective import Curve


class StoppingRule(Protocol):
    """A pure function of curves; a search that uses one stays deterministic, as it is shown those
    of earlier ids only.
    """

    def __call__(self, reached: Curve, earlier: Sequence[Curve]) -> bool:
        """Whether a candidate with the curve `reached` is given up, after `earlier` ones of as many
        epochs planned.
        """
        ...


@dataclass(frozen=True)
class MedianStop:
    """Golovin et al. 2017: stops what never was as accurate as half of the others were on average
    up to the same epoch.

    After `epochs` epochs or more, the best accuracy so far is compared with the median of the means
    of the earlier curves up to that epoch, as soon as `curves` of them got there.

    Raises:
        ValueError: if `epochs` or `curves` is below 1.
    """

    epochs: int = 3
    curves: int = 5

    def __post_init__(self) -> None:
        for name in ("epochs", "curves"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, but got {getattr(self, name)}")

    def __call__(self, reached: Curve, earlier: Sequence[Curve]) -> bool:
        """Whether the candidate is given up."""
        count = len(reached)
        comparable = [curve[:count] for curve in earlier if len(curve) >= count]
        if count < self.epochs or len(comparable) < self.curves:
            return False
        means = [fmean(epoch.accuracy for epoch in curve) for curve in comparable]
        return max(epoch.accuracy for epoch in reached) < median(means)
