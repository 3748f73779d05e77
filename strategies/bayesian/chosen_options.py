"""Inner products of one-hot features, by counting the options that genotypes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


def products_of_shared(choices: int, feature: float) -> Vector:
    """The inner product of two genotypes that share 0 … `choices` options, [choices + 1], if each of
    their features is 0 or `feature`.

    A matrix product tells it, because that of the features themselves rounds alike.
    """
    shared = np.tril(np.full((choices + 1, choices), feature), -1)
    products: Vector = (shared @ np.full((choices, 2), feature))[:, 0]
    return products


@dataclass(frozen=True)
class ChosenOptions:
    """The options of n genotypes.

    Args:
        genes: Unsigned integers [choices, n], with the highest of their type for each choice that
            is not active, and the one below for none.
        products: What `products_of_shared` gives.
    """

    genes: NDArray[Any]
    products: Vector

    def inner(self, other: ChosenOptions) -> Matrix:
        """The inner products of the features of these and other genotypes, [n, m]."""
        inactive = np.iinfo(self.genes.dtype).max
        # What is not active in both is not shared.
        others = np.where(other.genes == inactive, inactive - 1, other.genes)
        shape = self.genes.shape[1], others.shape[1]
        shared = np.zeros(shape, np.min_scalar_type(len(self.genes)))
        equal = np.empty(shape, np.bool_)
        for mine, theirs in zip(self.genes, others, strict=True):
            np.equal(mine[:, None], theirs, out=equal)
            np.add(shared, equal.view(np.uint8), out=shared)
        return self.products.take(shared)

    def followed_by(self, other: ChosenOptions) -> ChosenOptions:
        """These genotypes, then the others."""
        return ChosenOptions(np.hstack((self.genes, other.genes)), self.products)
