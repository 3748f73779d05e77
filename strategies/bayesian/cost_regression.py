"""Gaussian process regression of noise-free facts."""

import numpy as np
from scipy.linalg import cho_solve, cholesky

from strategies.bayesian.gaussian_process import Kernel
from strategies.bayesian.inputs import Inputs, Matrix

_KERNEL = Kernel(gene_linear_variance=18.0, gene_squared_length=0.6)
_JITTER = 1e-4


class CostRegression:
    """Posterior means of several targets that share one kernel.

    The hyper-parameters are fixed, because facts are noise-free and plentiful.

    Args:
        inputs: The training inputs, n of them.
        targets: Their targets [n, t]; a NaN is replaced by the mean of its column.
    """

    def __init__(self, inputs: Inputs, targets: Matrix) -> None:
        known = ~np.isnan(targets)
        self._mean = np.where(known, targets, 0.0).sum(0) / np.maximum(known.sum(0), 1)
        self._inputs = inputs
        covariance = _KERNEL.covariance(inputs, inputs)
        covariance.flat[:: len(inputs) + 1] += _JITTER
        factor = cholesky(covariance, lower=True, check_finite=False)
        self._weights: Matrix = cho_solve(
            (factor, True), np.where(known, targets - self._mean, 0.0), check_finite=False
        )

    def predict(self, inputs: Inputs) -> Matrix:
        """The expected targets, [n, t]."""
        means: Matrix = _KERNEL.covariance(inputs, self._inputs) @ self._weights + self._mean
        return means
