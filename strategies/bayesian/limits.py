"""The limits of a budget, as far as they follow from facts about candidates."""

from collections.abc import Mapping, Sequence

import numpy as np

from strategies.bayesian.gaussian_process import Matrix, Vector

_SAME = 1e-9


class Limits:
    """Which costs are limited, and by how much: an excess says how far the worst cost lies over its
    limit, not which.

    No limit is below cost / (1 + excess) of any candidate, and that of the worst cost is equal to
    it. So a limit is the largest such quotient, known for certain once two candidates of different
    excess agree on it.
    """

    def __init__(self) -> None:
        self._floors: dict[str, tuple[float, float | None]] = {}
        self._known: dict[str, float] = {}

    def see(self, costs: Mapping[str, float], excess: float) -> None:
        """A candidate's costs, and the finite excess of the worst of them."""
        for name, cost in costs.items():
            quotient = cost / (1.0 + excess)
            floor, witness = self._floors.get(name, (0.0, None))
            if quotient > floor * (1 + _SAME):
                self._floors[name] = quotient, excess if excess > 0 else None
                self._known.pop(name, None)
            elif excess > 0 and quotient >= floor * (1 - _SAME):
                if witness is None:
                    self._floors[name] = floor, excess
                elif abs(excess - witness) > _SAME and floor > 0:
                    self._known[name] = floor

    @property
    def known(self) -> Mapping[str, float]:
        """The limits that are certain, by the name of the cost."""
        return self._known

    def used(self, names: Sequence[str], costs: Matrix) -> Vector:
        """The share of the tightest known limit that each row of `costs` uses, its columns being
        `names`.

        Raises:
            ValueError: if no limit is known.
        """
        shares: Vector = np.max(
            [costs[:, names.index(name)] / limit for name, limit in self._known.items()], axis=0
        )
        return shares
