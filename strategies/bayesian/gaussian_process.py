"""A Gaussian process over encoded genotypes and what they cost (Rasmussen & Williams 2006, chapters
2 and 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Inputs:
    """Candidates as a model sees them: features of the genes [n, f], and standardized costs [n,
    costs], perhaps none.
    """

    genes: Matrix
    costs: Matrix

    def __len__(self) -> int:
        return len(self.genes)


def squared_distances(a: Matrix, b: Matrix, inner: Matrix) -> Matrix:
    """Between the rows of two matrices whose inner products are known, [len(a), len(b)]."""
    squares = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)
    distances: Matrix = np.maximum(squares - 2.0 * inner, 0.0)
    return distances


@dataclass(frozen=True)
class Kernel:
    """Covariances as multiples of a scale that `Posterior` finds: a constant, linear effects, and
    an interaction term.

    The prior mean is thus a constant and a linear trend in each cost, whose coefficients are
    integrated out; `slopes` are the prior variances of the latter, and a slope of 0 leaves the cost
    out. `linear` is the variance of additive effects of the genes; interactions fall off with the
    squared distance d of the features as exp(-d / reach), and have variance 1, as the constant has.
    `echo` is the variance of what candidates of like costs have in common, which falls off with the
    squared distance d of all costs as exp(-d / width): different genotypes of equal costs are often
    the same network, or nearly. `noise` is the variance of one observation.
    """

    slopes: tuple[float, ...] = ()
    linear: float = 6.0
    reach: float = 1 / 3
    echo: float = 1.0
    width: float = 0.1
    noise: float = 0.01

    def trend(self, a: Matrix, b: Matrix) -> Matrix | float:
        """The covariance that comes from costs [n, costs] and [m, costs], [n, m]; 0 where there are
        none.
        """
        if not self.slopes:
            return 0.0
        inner = a @ b.T
        shared: Matrix = (a * np.asarray(self.slopes)) @ b.T
        shared += self.echo * np.exp(squared_distances(a, b, inner) * (-1.0 / self.width))
        return shared

    def combined(self, inner: Matrix, distance: Matrix, trend: Matrix | float) -> Matrix:
        """From inner products and squared distances of the genes' features, and the covariance of
        the trend.
        """
        covariance: Matrix = np.exp(distance * (-1.0 / self.reach))
        covariance += self.linear * inner
        covariance += 1.0 + trend
        return covariance

    def between(self, a: Inputs, b: Inputs) -> Matrix:
        """The covariances of two sets of candidates, without noise, [len(a), len(b)]."""
        inner = a.genes @ b.genes.T
        return self.combined(
            inner, squared_distances(a.genes, b.genes, inner), self.trend(a.costs, b.costs)
        )

    def variances(self, a: Inputs) -> Vector:
        """The prior variance of each candidate, [len(a)]."""
        trend = np.einsum("ij,ij,j->i", a.costs, a.costs, np.asarray(self.slopes))
        constant = 2.0 + (self.echo if self.slopes else 0.0)
        result: Vector = constant + self.linear * np.einsum("ij,ij->i", a.genes, a.genes) + trend
        return result


@dataclass(frozen=True)
class Factored:
    """The Cholesky factor of a covariance of observations, and what it makes of their values."""

    factor: Matrix
    weights: Vector
    scale: float
    evidence: float


def factored(covariance: Matrix, values: Vector) -> Factored:
    """The scale of greatest likelihood, and the logarithm of the marginal likelihood there, up to a
    constant.
    """
    factor = cholesky(covariance, lower=True, check_finite=False)
    weights = cho_solve((factor, True), values, check_finite=False)
    scale = max(float(values @ weights) / len(values), 1e-12)
    evidence = -0.5 * len(values) * float(np.log(scale)) - float(np.log(np.diag(factor)).sum())
    return Factored(factor, weights, scale, evidence)


class Posterior:
    """What is believed of other candidates, given observed ones.

    `pending` are candidates whose values are still to come: they are believed to turn out as
    expected (Ginsbourger et al. 2010, kriging believer), which leaves all means as they are and
    lowers the deviations nearby.
    """

    def __init__(
        self, kernel: Kernel, observed: Inputs, values: Vector, pending: Inputs | None = None
    ) -> None:
        self._kernel = kernel
        self._observed = observed
        self._system = self._solved(values)
        self.scale = self._system.scale
        if pending is not None and len(pending):
            believed = np.concatenate((values, self.mean(pending)))
            self._observed = Inputs(
                np.vstack((observed.genes, pending.genes)),
                np.vstack((observed.costs, pending.costs)),
            )
            self._system = self._solved(believed)

    def _solved(self, values: Vector) -> Factored:
        covariance = self._kernel.between(self._observed, self._observed)
        covariance.flat[:: len(values) + 1] += self._kernel.noise
        return factored(covariance, values)

    def mean(self, candidates: Inputs) -> Vector:
        """The expected value of each candidate."""
        result: Vector = self._kernel.between(candidates, self._observed) @ self._system.weights
        return result

    def predict(self, candidates: Inputs) -> tuple[Vector, Vector]:
        """Mean and standard deviation of each candidate's value, noise left out."""
        cross = self._kernel.between(candidates, self._observed)
        explained = solve_triangular(self._system.factor, cross.T, lower=True, check_finite=False)
        variances = self._kernel.variances(candidates) - np.einsum("ij,ij->j", explained, explained)
        return cross @ self._system.weights, np.sqrt(self.scale * np.maximum(variances, 1e-12))
