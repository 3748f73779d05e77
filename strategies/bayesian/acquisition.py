"""The acquisition function: constrained expected improvement under a Gaussian process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import log_ndtr, ndtri
from scipy.stats import rankdata

from nas.space import Genotype
from strategies.bayesian.cost_model import CostModel
from strategies.bayesian.encoding import Encoding
from strategies.bayesian.expected_improvement import log_expected_improvement
from strategies.bayesian.gaussian_process import Inputs, Kernel, Matrix, Posterior, Vector
from strategies.bayesian.marginal_likelihood import (
    INITIAL_COST_SLOPE_VARIANCE,
    maximize_likelihood,
)
from strategies.bayesian.observations import Observations

# The constraint is -1 for feasible candidates and at least 0.5 for others.
_CONSTRAINT_THRESHOLD, _CONSTRAINT_DEVIATION = -0.25, 0.25
# Costs are logarithms: differences of a few percent must not be standardized to 1.
_MIN_COST_DEVIATION = 0.05


class Acquisition:
    """Expected improvement under a Gaussian process over genes and costs.

    The process is fitted to the normal scores of the ranks of the observations. Its
    hyper-parameters are optimized from their present and their initial values whenever there are
    5 % more observations than at the last time.

    Args:
        encoding: The features of genotypes.
        cost_model: Known and predicted costs.
    """

    def __init__(self, encoding: Encoding, cost_model: CostModel) -> None:
        self._encoding = encoding
        self._cost_model = cost_model
        self._optimized_at = 0
        self.kernel = Kernel()

    def fit(self, observations: Observations, pending: Sequence[Genotype]) -> None:
        """Fits the process to at least one observation, and to proposals without a result."""
        genotypes, scores = observations.training_set()
        values = ndtri((rankdata(scores) - 0.5) / len(scores))
        costs = self._cost_model.costs(genotypes)
        known = ~np.isnan(costs)
        count = np.maximum(known.sum(0), 1)
        self._cost_mean = np.where(known, costs, 0.0).sum(0) / count
        deviation = np.sqrt((np.where(known, costs - self._cost_mean, 0.0) ** 2).sum(0) / count)
        self._cost_deviation = np.maximum(deviation, _MIN_COST_DEVIATION)
        observed = self._inputs(genotypes, costs)
        initial = Kernel(cost_slope_variances=(INITIAL_COST_SLOPE_VARIANCE,) * costs.shape[1])
        if len(self.kernel.cost_slope_variances) != costs.shape[1]:
            self.kernel = initial
        if len(observations) > 1.05 * self._optimized_at:
            self.kernel = maximize_likelihood((self.kernel, initial), observed, values)
            self._optimized_at = len(observations)
        outstanding = self._inputs(pending, self._cost_model.costs(pending))
        self._posterior = Posterior(self.kernel, observed, values, outstanding)
        self._best = float(values.max())

    def log_ei(self, genotypes: Sequence[Genotype]) -> Vector:
        """Log expected improvement of candidates that are known to be feasible, [n]."""
        return self._log_ei(genotypes, self._cost_model.costs(genotypes))

    def log_constrained_ei(self, genotypes: Sequence[Genotype]) -> Vector:
        """Log expected improvement times the probability of feasibility (Schonlau et al. 1998),
        both from predicted costs and constraints, [n].
        """
        costs, constraints = self._cost_model.predict(genotypes)
        log_probability: Vector = log_ndtr(
            (_CONSTRAINT_THRESHOLD - constraints) / _CONSTRAINT_DEVIATION
        )
        return self._log_ei(genotypes, costs) + log_probability

    def _log_ei(self, genotypes: Sequence[Genotype], costs: Matrix) -> Vector:
        return log_expected_improvement(
            *self._posterior.predict(self._inputs(genotypes, costs)), self._best
        )

    def _inputs(self, genotypes: Sequence[Genotype], costs: Matrix) -> Inputs:
        # The first facts, and so the first costs, may arrive between a fit and an evaluation.
        standardized = np.nan_to_num(
            (costs[:, : len(self._cost_mean)] - self._cost_mean) / self._cost_deviation
        )
        return Inputs(self._encoding.features(self._encoding.genes(genotypes)), standardized)
