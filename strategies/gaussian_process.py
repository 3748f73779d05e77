"""A Gaussian process over encoded genotypes and their costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Kernel:
    trend: tuple[float, ...] = ()
    linear: float = 1.0
    reach: float = 2.0
    noise: float = 0.01

    def __call__(self, a: Inputs, b: Inputs) -> Matrix:
        return self.combine(*products(a, b))

    def combine(self, inner, distance, costs) -> Matrix:
        if self.trend: inner = self.linear * inner + np.tensordot(self.trend, costs, 1)
        else: inner = self.linear * inner
        return inner + np.exp(-distance / self.reach) + 1.0

    def diagonal(self, a: Inputs) -> Vector:
        return self.linear * np.einsum("ij,ij->i", a.genes, a.genes) + (a.costs**2 @ np.asarray(self.trend) if self.trend else 0.0) + 2.0


@dataclass(frozen=True)
class Inputs:
    genes: Matrix
    costs: Matrix


def products(a: Inputs, b: Inputs):
    inner = a.genes @ b.genes.T
    distance = (a.genes**2).sum(1)[:, None] + (b.genes**2).sum(1) - 2 * inner
    return inner, np.maximum(distance, 0.0), a.costs.T[:, :, None] * b.costs.T[:, None, :]


class Posterior:
    def __init__(self, kernel: Kernel, inputs: Inputs, values: Vector, terms=None) -> None:
        self.kernel = kernel
        self._inputs = inputs
        terms = products(inputs, inputs) if terms is None else terms
        gram = kernel.combine(*terms)
        n = len(values)
        gram.flat[:: n + 1] += kernel.noise + 1e-8
        self._factor = np.linalg.cholesky(gram)
        self._weights = cho_solve((self._factor, True), values, check_finite=False)
        self.scale = float(values @ self._weights) / n if n else 1.0
        self.scale = max(self.scale, 1e-12)
        self.evidence = -0.5 * n * np.log(self.scale) - float(np.log(np.diag(self._factor)).sum())

    def mean(self, inputs):
        return self.kernel(inputs, self._inputs) @ self._weights

    def predict(self, inputs: Inputs):
        cross = self.kernel(inputs, self._inputs)
        mean = cross @ self._weights
        half = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        variance = self.kernel.diagonal(inputs) - np.einsum("ij,ij->j", half, half)
        return mean, np.sqrt(self.scale * np.maximum(variance, 1e-12))


GRID = {
    "trend": (0.0, 0.1, 0.3, 1.0, 3.0),
    "linear": (0.0, 0.1, 0.3, 1.0, 3.0, 10.0),
    "reach": (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
    "noise": (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1),
}


def tuned(kernel: Kernel, inputs: Inputs, values: Vector, sweeps=1) -> Kernel:
    terms = products(inputs, inputs)
    best = Posterior(kernel, inputs, values, terms)
    m = inputs.costs.shape[1]
    for _ in range(sweeps):
        before = best.kernel
        for name in ["linear", "reach", "noise", *range(m)]:
            grid = GRID["trend"] if isinstance(name, int) else GRID[name]
            for step in (-1, 1):
                while True:
                    k = best.kernel
                    i = grid.index(k.trend[name] if isinstance(name, int) else getattr(k, name)) + step
                    if not 0 <= i < len(grid):
                        break
                    if isinstance(name, int): k = replace(k, trend=(*k.trend[:name], grid[i], *k.trend[name+1:]))
                    else: k = replace(k, **{name: grid[i]})
                    other = Posterior(k, inputs, values, terms)
                    if other.evidence <= best.evidence:
                        break
                    best = other
        if best.kernel == before:
            break
    return best.kernel
