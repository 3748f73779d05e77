"""Known and predicted costs and feasibility of candidates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import numpy as np

from nas.space import Genotype
from nas.strategy import Facts
from strategies.bayesian.cost_regression import CostRegression
from strategies.bayesian.encoding import Encoding
from strategies.bayesian.inferred_limits import InferredLimits
from strategies.bayesian.inputs import Inputs, Matrix, Vector

_MAX_KNOWN = 20_000
_MAX_TRAINING = 256
_MAX_UNPROPOSED = 2_000
_FEASIBLE = -1.0
# As many lookups of candidates that cannot be built take as long as that of one that can.
_UNBUILT = 10


class CostModel:
    """Looks up the facts of candidates, caches them, and predicts those of other candidates from
    the ones that were looked up last.

    Costs are modeled as log(1 + cost / unit), where the unit is the median of the first costs
    looked up. Feasibility is modeled as a constraint: -1 for a feasible candidate, otherwise 0.5 to
    1.5, increasing with the excess (1 for a failure).

    Args:
        encoding: The features of genotypes.
        facts: The costs and the excess of a candidate. Without it there are no costs, and the
            constraint is learned from results alone.
    """

    def __init__(
        self, encoding: Encoding, facts: Callable[[Genotype], Facts] | None = None
    ) -> None:
        self._encoding = encoding
        self._facts = facts
        self._units: Vector | None = None
        # All three dictionaries are in the order of arrival.
        self._constraints: dict[Genotype, float] = {}
        self._costs: dict[Genotype, Vector] = {}
        self._unproposed: dict[Genotype, None] = {}
        self._proposed: set[Genotype] = set()
        self._regression: CostRegression | None = None
        self._lookups_left = 0
        self.limits = InferredLimits()
        self.names: tuple[str, ...] = ()

    @property
    def has_facts(self) -> bool:
        """Whether facts can be looked up."""
        return self._facts is not None

    @property
    def unproposed(self) -> list[Genotype]:
        """The latest candidates that are feasible by their facts and were not proposed."""
        return list(self._unproposed)

    def allow_lookups(self, count: int) -> None:
        """Sets how many candidates may be looked up until the next call.

        Those that cannot be built count a tenth, so that in a space of few that can, some are found.
        """
        self._lookups_left = count * _UNBUILT

    def look_up(self, genotypes: Iterable[Genotype], enough: int | None = None) -> list[Genotype]:
        """Looks up unknown genotypes in order while lookups are left; returns all known ones, or
        the first ones up to `enough` that can be built.
        """
        known = []
        built = 0
        for genotype in genotypes:
            if built == enough:
                break
            if (
                genotype not in self._constraints
                and self._facts is not None
                and self._lookups_left >= _UNBUILT
            ):
                facts = self._facts(genotype)
                self._lookups_left -= _UNBUILT if math.isfinite(facts.excess) else 1
                self._add(genotype, facts)
            if genotype in self._constraints:
                known.append(genotype)
                built += genotype in self._costs or self.is_feasible(genotype)
        return known

    def mark_proposed(self, genotype: Genotype) -> None:
        """Removes a genotype from `unproposed`, and keeps its costs for good."""
        self._unproposed.pop(genotype, None)
        self._proposed.add(genotype)

    def observe(self, genotype: Genotype, score: float) -> None:
        """Updates the constraint by a result, if facts did not predict a failure (score < 0)."""
        if not self.has_facts or (
            score < 0 and self._constraints.get(genotype, _FEASIBLE) == _FEASIBLE
        ):
            self._set_constraint(genotype, -score if score < 0 else None)

    def least_infeasible(self, count: int) -> list[Genotype]:
        """At most `count` of the latest known candidates, in ascending order of the constraint."""
        latest = islice(reversed(self._constraints), _MAX_TRAINING)
        return sorted(latest, key=self._constraints.__getitem__)[:count]

    def constraint(self, genotype: Genotype) -> float:
        """The constraint of a known candidate."""
        return self._constraints[genotype]

    def is_feasible(self, genotype: Genotype) -> bool:
        """Whether a candidate is known to be within the budget and did not fail."""
        return self._constraints.get(genotype) == _FEASIBLE

    def utilization(self, genotypes: Sequence[Genotype]) -> Vector:
        """The share of the tightest limit that known candidates use, [n].

        If no limit is known, the sum of the modeled costs, so that larger candidates rank higher.
        """
        costs = self._raw_costs(genotypes)
        utilization = (
            self.limits.utilization(self.names, costs)
            if self.limits.known
            else self._modeled(costs).sum(1)
        )
        return np.nan_to_num(utilization, nan=0.0)

    def costs(self, genotypes: Sequence[Genotype]) -> Matrix:
        """Costs as they are modeled, [n, costs]; NaN where they are unknown."""
        return self._modeled(self._raw_costs(genotypes))

    def predict(
        self, genotypes: Sequence[Genotype], encoded: Inputs | None = None
    ) -> tuple[Matrix, Vector]:
        """Predicted costs, as they are modeled, [n, costs], and predicted constraints, [n].

        `encoded` has the features of the genotypes, if they are known already.
        """
        if not self._constraints:
            return np.zeros((len(genotypes), len(self.names))), np.full(len(genotypes), _FEASIBLE)
        if self._regression is None:
            latest = list(islice(reversed(self._constraints), _MAX_TRAINING))
            constraints = [self._constraints[genotype] for genotype in latest]
            self._regression = CostRegression(
                self._encoding.inputs(latest), np.column_stack((self.costs(latest), constraints))
            )
        if encoded is None:
            encoded = self._encoding.inputs(genotypes)
        means = self._regression.predict(encoded)
        return means[:, :-1], means[:, -1]

    def predict_utilization(self, genotypes: Sequence[Genotype]) -> Vector:
        """The predicted share of the tightest known limit, [n]."""
        modeled, _ = self.predict(genotypes)
        assert self._units is not None
        return self.limits.utilization(self.names, np.expm1(modeled) * self._units)

    def _add(self, genotype: Genotype, facts: Facts) -> None:
        costs = facts.costs
        self.names = self.names or tuple(sorted(costs))
        if costs:
            self._costs[genotype] = np.array([costs.get(name, math.nan) for name in self.names])
            if math.isfinite(facts.excess):
                self.limits.observe(
                    {name: costs[name] for name in self.names if name in costs}, facts.excess
                )
        self._set_constraint(genotype, facts.excess if facts.excess > 0 else None)
        if facts.excess <= 0:
            self._unproposed[genotype] = None
            if len(self._unproposed) > _MAX_UNPROPOSED:
                self._unproposed.pop(next(iter(self._unproposed)))

    def _set_constraint(self, genotype: Genotype, excess: float | None) -> None:
        self._constraints.pop(genotype, None)
        self._constraints[genotype] = (
            _FEASIBLE
            if excess is None
            else 0.5 + (0.5 * excess if excess < 1.0 else 1.0 - 0.5 / excess)
        )
        self._regression = None
        if len(self._constraints) > _MAX_KNOWN:
            oldest = next(iter(self._constraints))
            self._constraints.pop(oldest)
            if oldest not in self._proposed:
                self._costs.pop(oldest, None)

    def _raw_costs(self, genotypes: Sequence[Genotype]) -> Matrix:
        unknown = np.full(len(self.names), np.nan)
        raw = [self._costs.get(genotype, unknown) for genotype in genotypes]
        return np.array(raw, np.float64).reshape(len(genotypes), len(self.names))

    def _modeled(self, raw: Matrix) -> Matrix:
        if self._units is None and self._costs:
            medians = np.median(np.array(list(self._costs.values())), axis=0)
            self._units = np.where(medians > 0, medians, 1.0)
        return raw if self._units is None else np.log1p(raw / self._units)
