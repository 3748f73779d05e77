"""Inputs of a Gaussian process, and what a kernel on genes reads of pairs of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from strategies.bayesian.chosen_options import ChosenOptions

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

# Matrix products of up to so many multiplications take less time than counting shared options.
_SMALL_PRODUCT = 1_000_000
# Distinct values are computed instead of those of all pairs if there are at most so many a pair.
_FEW_VALUES = 0.5


@dataclass(frozen=True)
class Pairs:
    """Inner products and squared distances of pairs of features.

    Args:
        inner: The distinct inner products, or those of all pairs, [n, m].
        distances: The squared distances that go with them.
        places: Which of the distinct values each pair has, [n, m]; None if there is one for each.
    """

    inner: Matrix
    distances: Matrix
    places: NDArray[np.intp] | None = None

    def spread(self, values: Matrix) -> Matrix:
        """What was computed from `inner` and `distances`, for each pair, [n, m]."""
        return values if self.places is None else values.take(self.places)


@dataclass(frozen=True)
class Inputs:
    """Inputs of the process: features of the genes [n, f] and standardized costs [n, c], c perhaps
    0; an expectation known before is the first of these columns.

    If the features are one-hot, their `options` tell their inner products sooner.
    """

    genes: Matrix
    costs: Matrix
    options: ChosenOptions | None = None

    def __len__(self) -> int:
        return len(self.genes)

    def pairs(self, other: Inputs) -> Pairs:
        """What the kernel on genes reads of pairs of these and other inputs."""
        multiplications = len(self) * self.genes.shape[1] * len(other)
        if self.options is None or other.options is None or multiplications <= _SMALL_PRODUCT:
            inner: Matrix = self.genes @ other.genes.T
            return Pairs(inner, squared_distances(self._squares, other._squares, inner))
        shared, products = self.options.shared(other.options), self.options.products
        (mine, row), (others, column) = self._distinct_squares, other._distinct_squares
        if len(mine) * len(others) * len(products) > _FEW_VALUES * shared.size:
            inner = products.take(shared)
            return Pairs(inner, squared_distances(self._squares, other._squares, inner))
        squares = np.add.outer(mine, others).ravel()
        inner = products[None]
        places = np.add.outer(row * (len(others) * len(products)), column * len(products))
        places += shared
        return Pairs(inner, squared_distances(squares, np.zeros(len(products)), inner), places)

    @cached_property
    def _squares(self) -> Vector:
        squares: Vector = np.einsum("ij,ij->i", self.genes, self.genes)
        return squares

    @cached_property
    def _distinct_squares(self) -> tuple[Vector, NDArray[np.intp]]:
        """Distinct squares, and which of them each input has."""
        distinct, places = np.unique(self._squares, return_inverse=True)
        return distinct, places.reshape(-1)

    def followed_by(self, other: Inputs) -> Inputs:
        """These inputs, then the others."""
        options = None
        if self.options is not None and other.options is not None:
            options = self.options.followed_by(other.options)
        genes, costs = np.vstack((self.genes, other.genes)), np.vstack((self.costs, other.costs))
        return Inputs(genes, costs, options)


def squared_distances(a: Vector, b: Vector, inner: Matrix) -> Matrix:
    """The squared distances [n, m] of rows whose squares [n] and [m] and inner products are given."""
    # In place, because most of the time of a proposal is spent on matrices like this one.
    distances: Matrix = np.add.outer(a, b)
    distances -= 2.0 * inner
    return np.maximum(distances, 0.0, out=distances)
