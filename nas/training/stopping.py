"""Early stopping of candidates that are worse than others were at the same epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Protocol

from nas.objective import Curve, accuracies


class StoppingRule(Protocol):
    """Whether to stop the training of a candidate; a pure function of curves.

    A search that uses one stays deterministic, because the rule is given the curves of earlier
    candidates only.
    """

    def __call__(self, reached: Curve, earlier: Sequence[Curve]) -> bool:
        """Whether to stop a candidate with the curve `reached`.

        `earlier` are the curves of candidates with lower ids and as many planned epochs.
        """
        ...


@dataclass(frozen=True)
class MedianStop:
    """The median stopping rule: stops a candidate whose best accuracy is below the median of the
    others' average accuracies up to the same epoch (Golovin et al., 2017); epochs without a measured
    accuracy count for neither.

    It applies after `epochs` epochs, once `curves` earlier candidates have reached the same epoch.

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
        """Whether to stop the candidate."""
        count = len(reached)
        measured = accuracies(reached)
        upto = [accuracies(curve[:count]) for curve in earlier if len(curve) >= count]
        comparable = [curve for curve in upto if curve]
        if count < self.epochs or len(comparable) < self.curves or not measured:
            return False
        return max(measured) < median(map(fmean, comparable))
