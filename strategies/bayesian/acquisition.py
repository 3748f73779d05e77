"""What a surrogate model believes of candidates, and what it takes them to promise."""

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
from strategies.bayesian.hyperparameters import START, maximize_likelihood
from strategies.bayesian.results import Results

# Labels of candidates that fit are -1, of others 0.5 and more.
_BOUNDARY, _SOFTNESS = -0.25, 0.25
# Costs are logarithms: differences of a few percent are not worth blowing up.
_LEAST_SPREAD = 0.05


class Acquisition:
    """A Gaussian process over genes and costs, learnt from the normal scores of the ranks of
    results.

    The kernel is chosen anew, beginning with the present one and with the first, whenever there are
    a twentieth more results than the last time. There must be a result.
    """

    def __init__(self, encoding: Encoding, survey: CostModel) -> None:
        self._encoding = encoding
        self._survey = survey
        self._learnt = 0
        self.kernel = Kernel()

    def update(self, results: Results, pending: Sequence[Genotype]) -> None:
        """Takes in what is known now, and what is still to be told of."""
        remembered, scores = results.remembered()
        values = ndtri((rankdata(scores) - 0.5) / len(scores))
        costs = self._survey.costs(remembered)
        known = ~np.isnan(costs)
        count = np.maximum(known.sum(0), 1)
        self._center = np.where(known, costs, 0.0).sum(0) / count
        spread = np.sqrt((np.where(known, costs - self._center, 0.0) ** 2).sum(0) / count)
        self._spread = np.maximum(spread, _LEAST_SPREAD)
        observed = self._inputs(remembered, costs)
        prior = Kernel(slopes=(START,) * costs.shape[1])
        if len(self.kernel.slopes) != costs.shape[1]:
            self.kernel = prior
        if len(results) > 1.05 * self._learnt:
            self.kernel = maximize_likelihood((self.kernel, prior), observed, values)
            self._learnt = len(results)
        waiting = self._inputs(pending, self._survey.costs(pending))
        self._posterior = Posterior(self.kernel, observed, values, waiting)
        self._best = float(values.max())

    def expectations(self, genotypes: Sequence[Genotype]) -> Vector:
        """The logarithm of the expected improvement of candidates that are known to fit."""
        return self._improvement(genotypes, self._survey.costs(genotypes))

    def guesses(self, genotypes: Sequence[Genotype]) -> Vector:
        """The same of any candidates, from predicted costs, and times the chance that they fit."""
        costs, labels = self._survey.predicted(genotypes)
        chance: Vector = log_ndtr((_BOUNDARY - labels) / _SOFTNESS)
        return self._improvement(genotypes, costs) + chance

    def _improvement(self, genotypes: Sequence[Genotype], costs: Matrix) -> Vector:
        return log_expected_improvement(
            *self._posterior.predict(self._inputs(genotypes, costs)), self._best
        )

    def _inputs(self, genotypes: Sequence[Genotype], costs: Matrix) -> Inputs:
        # Which costs there are may be found out between an update and a question.
        standardized = np.nan_to_num((costs[:, : len(self._center)] - self._center) / self._spread)
        return Inputs(self._encoding.features(self._encoding.rows(genotypes)), standardized)
