"""A Gaussian process over encoded genotypes and their costs (Rasmussen & Williams 2006, chapters 2
and 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from strategies.bayesian.inputs import Inputs, Matrix, Pairs, Vector, squared_distances

# Terms of exponents below are lost in any sum with 1, but may take four times as long.
_LEAST_EXPONENT = -700.0


@dataclass(frozen=True)
class Kernel:
    """A sum of kernels on genes and costs, in units of the signal variance that `factorize` fits.

    The terms are a constant of variance 1, a linear and a squared exponential kernel on the
    features of the genes, the latter of variance 1, and a linear and a squared exponential kernel
    on the costs. The constant and the linear kernel on costs amount to a mean function with
    coefficients integrated out. The squared exponential kernel on costs is there because genotypes
    of equal costs often build the same network, or nearly so. A squared exponential kernel of
    squared length scale s is exp(-d² / s).

    Args:
        cost_slope_variances: The prior variance of the slope in each cost; 0 removes the slope.
        gene_linear_variance: The prior variance of the additive effects of the genes.
        gene_squared_length: The squared length scale of interactions of the genes.
        cost_variance: The variance of the squared exponential kernel on all costs together.
        cost_squared_length: The squared length scale of that kernel.
        noise_variance: The variance of the noise of one observation.
    """

    cost_slope_variances: tuple[float, ...] = ()
    gene_linear_variance: float = 6.0
    gene_squared_length: float = 1 / 3
    cost_variance: float = 1.0
    cost_squared_length: float = 0.1
    noise_variance: float = 0.01

    def cost_covariance(self, a: Matrix, b: Matrix) -> Matrix | float:
        """The terms of costs [n, c] and [m, c], [n, m]; 0 if they count for nothing."""
        slopes = np.asarray(self.cost_slope_variances)
        if not (slopes.any() or (slopes.size and self.cost_variance)):
            return 0.0
        covariance: Matrix = (a * slopes) @ b.T
        if self.cost_variance == 0:
            return covariance
        squares = np.einsum("ij,ij->i", a, a), np.einsum("ij,ij->i", b, b)
        alike = squared_distances(*squares, a @ b.T)
        alike *= -1.0 / self.cost_squared_length
        np.maximum(alike, _LEAST_EXPONENT, out=alike)
        np.exp(alike, out=alike)
        alike *= self.cost_variance
        covariance += alike
        return covariance

    def combine(self, pairs: Pairs, of_costs: Matrix | float) -> Matrix:
        """The covariance, from pairs of the genes' features and from `cost_covariance`."""
        of_genes: Matrix = pairs.distances * (-1.0 / self.gene_squared_length)
        np.exp(of_genes, out=of_genes)
        of_genes += self.gene_linear_variance * pairs.inner
        covariance = pairs.spread(of_genes)
        covariance += 1.0 + of_costs
        return covariance

    def covariance(self, a: Inputs, b: Inputs) -> Matrix:
        """The covariance without noise, [len(a), len(b)]."""
        return self.combine(a.pairs(b), self.cost_covariance(a.costs, b.costs))

    def variances(self, a: Inputs) -> Vector:
        """The diagonal of the covariance of `a` with itself, [len(a)]."""
        linear = np.einsum("ij,ij,j->i", a.costs, a.costs, np.asarray(self.cost_slope_variances))
        constant = 2.0 + (self.cost_variance if self.cost_slope_variances else 0.0)
        result: Vector = (
            constant + self.gene_linear_variance * np.einsum("ij,ij->i", a.genes, a.genes) + linear
        )
        return result


@dataclass(frozen=True)
class Factorization:
    """A factored covariance K of noisy observations y.

    Args:
        factor: The lower Cholesky factor of K.
        weights: K⁻¹ y.
        signal_variance: The factor of K that maximizes the marginal likelihood.
        log_likelihood: The logarithm of that marginal likelihood, up to a constant.
    """

    factor: Matrix
    weights: Vector
    signal_variance: float
    log_likelihood: float


def factorize(covariance: Matrix, values: Vector) -> Factorization:
    """Factors the covariance of noisy observations, and fits the signal variance in closed form."""
    factor = cholesky(covariance, lower=True, check_finite=False)
    weights = cho_solve((factor, True), values, check_finite=False)
    variance = max(float(values @ weights) / len(values), 1e-12)
    log_likelihood = -0.5 * len(values) * float(np.log(variance)) - float(
        np.log(np.diag(factor)).sum()
    )
    return Factorization(factor, weights, variance, log_likelihood)


class Posterior:
    """The posterior of the process, given noisy observations.

    Args:
        kernel: The prior covariance.
        observed: The inputs of the observations, n of them.
        values: The observed values, [n].
        pending: Inputs whose values are outstanding. They are assumed to be observed at their
            posterior mean (kriging believer, Ginsbourger et al. 2010), which leaves all means as
            they are and lowers the deviations nearby.
    """

    def __init__(
        self, kernel: Kernel, observed: Inputs, values: Vector, pending: Inputs | None = None
    ) -> None:
        self._kernel = kernel
        self._observed = observed
        self._factorization = self._factorize(values)
        self.signal_variance = self._factorization.signal_variance
        if pending is not None and len(pending):
            fantasized = np.concatenate((values, self.mean(pending)))
            self._observed = observed.followed_by(pending)
            self._factorization = self._factorize(fantasized)

    def _factorize(self, values: Vector) -> Factorization:
        covariance = self._kernel.covariance(self._observed, self._observed)
        covariance.flat[:: len(values) + 1] += self._kernel.noise_variance
        return factorize(covariance, values)

    def mean(self, inputs: Inputs) -> Vector:
        """The posterior mean, [n]."""
        result: Vector = (
            self._kernel.covariance(inputs, self._observed) @ self._factorization.weights
        )
        return result

    def predict(self, inputs: Inputs) -> tuple[Vector, Vector]:
        """The posterior mean and standard deviation, both [n], without noise."""
        cross = self._kernel.covariance(inputs, self._observed)
        explained = solve_triangular(
            self._factorization.factor, cross.T, lower=True, check_finite=False
        )
        variances = self._kernel.variances(inputs) - np.einsum("ij,ij->j", explained, explained)
        deviations = np.sqrt(self.signal_variance * np.maximum(variances, 1e-12))
        return cross @ self._factorization.weights, deviations
