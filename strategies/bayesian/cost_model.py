"""What is known of candidates before they are trained, and what that says about others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import numpy as np
from scipy.linalg import cho_solve, cholesky

from nas.space import Genotype
from nas.strategy import Facts
from strategies.bayesian.encoding import Encoding
from strategies.bayesian.gaussian_process import Inputs, Kernel, Matrix, Vector
from strategies.bayesian.limits import Limits

_REMEMBERED = 20_000
_REFERENCES = 256
_OPEN = 2_000
_KERNEL = Kernel(linear=18.0, reach=0.6)
_NOISE = 1e-4
_FIT = -1.0


class CostModel:
    """Asks for the facts of candidates, remembers them, and predicts those of others from the ones
    asked for last.

    Whether a candidate is within the budget and trainable is a label: -1 if it is, else 0.5 to 1.5,
    growing with its excess (1 if it failed). Costs are seen as log(1 + cost / unit), the unit being
    the median of those seen first. Predictions are the means of a Gaussian process whose kernel is
    fixed, because facts have no noise and there are plenty of them. Without `facts` there are no
    costs, and labels are learnt only from what is told of proposals.
    """

    def __init__(
        self, encoding: Encoding, facts: Callable[[Genotype], Facts] | None = None
    ) -> None:
        self._encoding = encoding
        self._facts = facts
        self._units: Vector | None = None
        self._labels: dict[Genotype, float] = {}
        self._costs: dict[Genotype, Vector] = {}
        self._open: dict[Genotype, None] = {}
        self._proposed: set[Genotype] = set()
        self._weights: Matrix | None = None
        self._allowed = 0
        self.limits = Limits()
        self.names: tuple[str, ...] = ()

    @property
    def informed(self) -> bool:
        """Whether facts can be asked for."""
        return self._facts is not None

    @property
    def open(self) -> list[Genotype]:
        """The latest candidates that meet the budget and were not proposed."""
        return list(self._open)

    def allow(self, lookups: int) -> None:
        """How many candidates may be asked for from now on."""
        self._allowed = lookups

    def look(self, genotypes: Iterable[Genotype]) -> list[Genotype]:
        """Asks for those not known yet, in order, as far as is allowed; returns the known ones
        among all of them.
        """
        known = []
        for genotype in genotypes:
            if genotype not in self._labels and self._facts is not None and self._allowed > 0:
                self._allowed -= 1
                self._learn(genotype, self._facts(genotype))
            if genotype in self._labels:
                known.append(genotype)
        return known

    def _learn(self, genotype: Genotype, facts: Facts) -> None:
        costs = facts.costs
        self.names = self.names or tuple(sorted(costs))
        if costs:
            self._costs[genotype] = np.array([costs.get(name, math.nan) for name in self.names])
            if math.isfinite(facts.excess):
                self.limits.see(
                    {name: costs[name] for name in self.names if name in costs}, facts.excess
                )
        self._label(genotype, facts.excess if facts.excess > 0 else None)
        if facts.excess <= 0:
            self._open[genotype] = None
            if len(self._open) > _OPEN:
                self._open.pop(next(iter(self._open)))

    def _label(self, genotype: Genotype, excess: float | None) -> None:
        self._labels.pop(genotype, None)
        self._labels[genotype] = (
            _FIT if excess is None else 0.5 + (0.5 * excess if excess < 1.0 else 1.0 - 0.5 / excess)
        )
        self._weights = None
        if len(self._labels) > _REMEMBERED:
            oldest = next(iter(self._labels))
            self._labels.pop(oldest)
            if oldest not in self._proposed:
                self._costs.pop(oldest, None)

    def proposed(self, genotype: Genotype) -> None:
        """It is no longer open, and its costs are kept."""
        self._open.pop(genotype, None)
        self._proposed.add(genotype)

    def told(self, genotype: Genotype, score: float) -> None:
        """What became of a proposal, below 0 if it was over budget or failed, which facts need not
        have foretold.
        """
        if not self.informed or (score < 0 and self._labels.get(genotype, _FIT) == _FIT):
            self._label(genotype, -score if score < 0 else None)

    def nearest(self, count: int) -> list[Genotype]:
        """Of the latest known candidates, at most so many that are fit or least over the budget."""
        latest = islice(reversed(self._labels), _REFERENCES)
        return sorted(latest, key=self._labels.__getitem__)[:count]

    def label(self, genotype: Genotype) -> float:
        """Of a known candidate."""
        return self._labels[genotype]

    def is_fit(self, genotype: Genotype) -> bool:
        """Whether it is known to meet the budget, and did not fail."""
        return self._labels.get(genotype) == _FIT

    def sizes(self, genotypes: Sequence[Genotype]) -> Vector:
        """How near to the limits known candidates with costs are: the share used, or, if no limit
        is known, their sum.
        """
        costs = self._raw(genotypes)
        sizes = (
            self.limits.used(self.names, costs) if self.limits.known else self._seen(costs).sum(1)
        )
        return np.nan_to_num(sizes, nan=0.0)

    def costs(self, genotypes: Sequence[Genotype]) -> Matrix:
        """As a model sees them, [n, costs]; NaN where they are not known."""
        return self._seen(self._raw(genotypes))

    def _raw(self, genotypes: Sequence[Genotype]) -> Matrix:
        unknown = np.full(len(self.names), np.nan)
        raw = [self._costs.get(genotype, unknown) for genotype in genotypes]
        return np.array(raw, np.float64).reshape(len(genotypes), len(self.names))

    def _seen(self, raw: Matrix) -> Matrix:
        if self._units is None and self._costs:
            medians = np.median(np.array(list(self._costs.values())), axis=0)
            self._units = np.where(medians > 0, medians, 1.0)
        return raw if self._units is None else np.log1p(raw / self._units)

    def predicted(self, genotypes: Sequence[Genotype]) -> tuple[Matrix, Vector]:
        """Costs as `costs` gives them, [n, costs], and labels, [n], of candidates that need not be
        known.
        """
        if not self._labels:
            return np.zeros((len(genotypes), len(self.names))), np.full(len(genotypes), _FIT)
        if self._weights is None:
            self._fit()
        assert self._weights is not None
        means = (
            _KERNEL.between(self._inputs(genotypes), self._references) @ self._weights
            + self._center
        )
        return means[:, :-1], means[:, -1]

    def predicted_shares(self, genotypes: Sequence[Genotype]) -> Vector:
        """The share of the tightest known limit that each candidate is expected to use."""
        seen, _ = self.predicted(genotypes)
        assert self._units is not None
        return self.limits.used(self.names, np.expm1(seen) * self._units)

    def _fit(self) -> None:
        latest = list(islice(reversed(self._labels), _REFERENCES))
        costs = self.costs(latest)
        labels = np.array([self._labels[genotype] for genotype in latest])
        targets = np.column_stack((costs, labels))
        known = ~np.isnan(targets)
        self._center = np.where(known, targets, 0.0).sum(0) / np.maximum(known.sum(0), 1)
        self._references = self._inputs(latest)
        covariance = _KERNEL.between(self._references, self._references)
        covariance.flat[:: len(latest) + 1] += _NOISE
        factor = cholesky(covariance, lower=True, check_finite=False)
        self._weights = cho_solve(
            (factor, True), np.where(known, targets - self._center, 0.0), check_finite=False
        )

    def _inputs(self, genotypes: Sequence[Genotype]) -> Inputs:
        features = self._encoding.features(self._encoding.rows(genotypes))
        return Inputs(features, np.zeros((len(genotypes), 0)))
