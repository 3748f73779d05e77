"""The acquisition function: constrained expected improvement under a Gaussian process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import log_ndtr, ndtri
from scipy.stats import rankdata

from nas.space import Genotype
from strategies.bayesian.cost_model import CostModel
from strategies.bayesian.encoding import Encoding
from strategies.bayesian.expected_improvement import log_expected_improvement
from strategies.bayesian.gaussian_process import Kernel, Posterior
from strategies.bayesian.inputs import Inputs, Matrix, Vector
from strategies.bayesian.marginal_likelihood import (
    INITIAL_COST_SLOPE_VARIANCE,
    maximize_likelihood,
)
from strategies.bayesian.observations import Observations

# The constraint is -1 for feasible candidates and at least 0.5 for others.
_CONSTRAINT_THRESHOLD, _CONSTRAINT_DEVIATION = -0.25, 0.25
# Costs are logarithms: differences of a few percent must not be standardized to 1.
_MIN_COST_DEVIATION = 0.05
# The expected slope of normal scores in the standardized prior, which is their correlation.
_PRIOR_SLOPE = 0.5
# No further are priors believed, in standard deviations, and relative ones below are equal.
_MAX_PRIOR, _EQUAL_PRIORS = 3.0, 1e-9


class Acquisition:
    """Expected improvement under a Gaussian process over genes and costs.

    The process is fitted to the normal scores of the ranks of the observations. Its
    hyper-parameters are optimized from their present and their initial values whenever there are
    5 % more observations than at the last time.

    A prior, standardized over the observations, is a further input beside the costs, and times
    `_PRIOR_SLOPE` the mean function of the process (Rasmussen & Williams 2006, section 2.7), which
    models the rest. So its slope is believed to be positive until observations say otherwise.

    Args:
        encoding: The features of genotypes.
        cost_model: Known and predicted costs.
        prior: The expected quality of a candidate, on any scale. What is not finite counts as
            missing, which is as the mean of the others.
    """

    def __init__(
        self,
        encoding: Encoding,
        cost_model: CostModel,
        prior: Callable[[Genotype], float] | None = None,
    ) -> None:
        self._encoding = encoding
        self._cost_model = cost_model
        self._prior = prior
        self._optimized_at = 0
        self.kernel = Kernel()

    def fit(self, observations: Observations, pending: Sequence[Genotype]) -> None:
        """Fits the process to at least one observation, and to proposals without a result."""
        genotypes, scores = observations.training_set()
        values = ndtri((rankdata(scores) - 0.5) / len(scores))
        costs = self._cost_model.costs(genotypes)
        self._cost_mean, deviation = _moments(costs)
        self._cost_deviation = np.maximum(deviation, _MIN_COST_DEVIATION)
        self._prior_moments = _moments(self._priors(genotypes))
        observed = self._inputs(genotypes, costs)
        residuals = values - self._mean(observed)
        columns = observed.costs.shape[1]
        initial = Kernel(cost_slope_variances=(INITIAL_COST_SLOPE_VARIANCE,) * columns)
        if len(self.kernel.cost_slope_variances) != columns:
            self.kernel = initial
        if len(observations) > 1.05 * self._optimized_at:
            self.kernel = maximize_likelihood((self.kernel, initial), observed, residuals)
            self._optimized_at = len(observations)
        outstanding = self._inputs(pending, self._cost_model.costs(pending))
        self._posterior = Posterior(self.kernel, observed, residuals, outstanding)
        self._best = float(values.max())

    def log_ei(self, genotypes: Sequence[Genotype]) -> Vector:
        """Log expected improvement of candidates that are known to be feasible, [n]."""
        return self._log_ei(genotypes, self._cost_model.costs(genotypes))

    def log_constrained_ei(self, genotypes: Sequence[Genotype]) -> Vector:
        """Log expected improvement times the probability of feasibility (Schonlau et al. 1998),
        both from predicted costs and constraints, [n].
        """
        encoded = self._encoding.inputs(genotypes)
        costs, constraints = self._cost_model.predict(genotypes, encoded)
        log_probability: Vector = log_ndtr(
            (_CONSTRAINT_THRESHOLD - constraints) / _CONSTRAINT_DEVIATION
        )
        return self._log_ei(genotypes, costs, encoded) + log_probability

    def _log_ei(
        self, genotypes: Sequence[Genotype], costs: Matrix, encoded: Inputs | None = None
    ) -> Vector:
        inputs = self._inputs(genotypes, costs, encoded)
        residual, deviation = self._posterior.predict(inputs)
        return log_expected_improvement(residual + self._mean(inputs), deviation, self._best)

    def _mean(self, inputs: Inputs) -> Vector:
        """The mean function of the process, [n]."""
        if self._prior is None:
            return np.zeros(len(inputs))
        mean: Vector = _PRIOR_SLOPE * inputs.costs[:, 0]
        return mean

    def _inputs(
        self, genotypes: Sequence[Genotype], costs: Matrix, encoded: Inputs | None = None
    ) -> Inputs:
        # The first facts, and so the first costs, may arrive between a fit and an evaluation.
        standardized = np.nan_to_num(
            (costs[:, : len(self._cost_mean)] - self._cost_mean) / self._cost_deviation
        )
        priors = self._standardized_priors(genotypes)
        if encoded is None:
            encoded = self._encoding.inputs(genotypes)
        return replace(encoded, costs=np.hstack((priors, standardized)))

    def _standardized_priors(self, genotypes: Sequence[Genotype]) -> Matrix:
        """The prior within `_MAX_PRIOR` deviations, [n, 1], or nothing without one, [n, 0]."""
        mean, deviation = self._prior_moments
        # Of observations that it does not tell apart, a prior tells nothing.
        scale = np.where(deviation > _EQUAL_PRIORS * np.abs(mean), deviation, np.inf)
        standardized = np.nan_to_num((self._priors(genotypes) - mean) / scale)
        return np.clip(standardized, -_MAX_PRIOR, _MAX_PRIOR)

    def _priors(self, genotypes: Sequence[Genotype]) -> Matrix:
        """The prior of candidates, NaN where it is missing, [n, 1]; [n, 0] without a prior."""
        if self._prior is None:
            return np.empty((len(genotypes), 0))
        priors = np.array([self._prior(genotype) for genotype in genotypes], np.float64)
        return np.where(np.isfinite(priors), priors, np.nan)[:, None]


def _moments(columns: Matrix) -> tuple[Vector, Vector]:
    """Mean and standard deviation of what is known of each column; 0 where nothing is."""
    known = ~np.isnan(columns)
    count = np.maximum(known.sum(0), 1)
    mean: Vector = np.where(known, columns, 0.0).sum(0) / count
    deviation: Vector = np.sqrt((np.where(known, columns - mean, 0.0) ** 2).sum(0) / count)
    return mean, deviation
