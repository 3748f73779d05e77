"""Thompson sampling among ways to propose a candidate."""

from collections.abc import Sequence

import numpy as np

# What is kept of the counts at each result: about the last 20 results of an arm count, because an
# arm that paid is exhausted one day.
_KEPT = 0.95


class Arms:
    """Ways to propose, drawn by how often they paid lately (Thompson, 1933).

    Whether a proposal of an arm pays has a Beta posterior, uniform at first. Of one draw from each,
    the highest wins, so that an arm is drawn as often as it is probably the best one.

    Args:
        names: The arms.
        rng: The source of all randomness.
    """

    def __init__(self, names: Sequence[str], rng: np.random.Generator) -> None:
        self._rng = rng
        self._counts = dict.fromkeys(names, (0.0, 0.0))

    def draw(self, available: Sequence[str]) -> str:
        """One of the `available` arms, at least one of them."""
        return max(available, key=self._sample)

    def _sample(self, name: str) -> float:
        paid, not_paid = self._counts[name]
        return float(self._rng.beta(1.0 + paid, 1.0 + not_paid))

    def tell(self, name: str, paid: bool) -> None:
        """Adds the result of a proposal of an arm."""
        before, before_not = self._counts[name]
        self._counts[name] = _KEPT * before + paid, _KEPT * before_not + (not paid)
