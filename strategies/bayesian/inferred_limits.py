"""Limits of the budget, inferred from the costs and the excess of candidates."""

from collections.abc import Mapping, Sequence

import numpy as np

from strategies.bayesian.inputs import Matrix, Vector

_RELATIVE_TOLERANCE = 1e-9


class InferredLimits:
    """Which costs are limited, and at what value.

    An excess says by how much the worst cost is over its limit, but not which cost that is. Every
    limit is at least cost / (1 + excess) of each candidate, with equality for the worst cost. So
    the largest quotient of a cost is a lower bound of its limit, and is the limit once two
    candidates of different positive excess attain it.
    """

    def __init__(self) -> None:
        # By cost: the bound, and the excess of a candidate that attains it over its limit.
        self._lower_bounds: dict[str, tuple[float, float | None]] = {}
        self._known: dict[str, float] = {}

    def observe(self, costs: Mapping[str, float], excess: float) -> None:
        """Updates the bounds by the costs of a candidate and their finite excess."""
        for name, cost in costs.items():
            quotient = cost / (1.0 + excess)
            bound, witness = self._lower_bounds.get(name, (0.0, None))
            if quotient > bound * (1 + _RELATIVE_TOLERANCE):
                self._lower_bounds[name] = quotient, excess if excess > 0 else None
                self._known.pop(name, None)
            elif excess > 0 and quotient >= bound * (1 - _RELATIVE_TOLERANCE):
                if witness is None:
                    self._lower_bounds[name] = bound, excess
                elif abs(excess - witness) > _RELATIVE_TOLERANCE and bound > 0:
                    self._known[name] = bound

    @property
    def known(self) -> Mapping[str, float]:
        """The limits that are certain, by the name of the cost."""
        return self._known

    def utilization(self, names: Sequence[str], costs: Matrix) -> Vector:
        """Cost divided by limit, the largest of all known limits, for each row of `costs` [n,
        names].

        Raises:
            ValueError: if no limit is known.
        """
        utilization: Vector = np.max(
            [costs[:, names.index(name)] / limit for name, limit in self._known.items()], axis=0
        )
        return utilization
