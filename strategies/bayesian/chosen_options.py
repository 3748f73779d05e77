"""Inner products of one-hot features, by counting the options that genotypes share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        places: The feature that is not 0, for each choice, [choices, n], and `features` where the
            choice is not active.
        features: The number of features.
        products: What `products_of_shared` gives.
    """

    places: NDArray[np.int64]
    features: int
    products: Vector

    @cached_property
    def _having(self) -> NDArray[np.uint8]:
        """Whether genotypes have a feature, [features + 1, n]."""
        having = np.zeros((self.features + 1, self.places.shape[1]), np.uint8)
        having[self.places, np.arange(self.places.shape[1])] = 1
        having[self.features] = 0
        return having

    def shared(self, other: ChosenOptions) -> NDArray[Any]:
        """How many options these and m other genotypes share, unsigned integers [n, m]."""
        shape = self.places.shape[1], other.places.shape[1]
        shared = np.zeros(shape, np.min_scalar_type(len(self.places)))
        having = np.empty(shape, np.uint8)
        for chosen in self.places:
            other._having.take(chosen, axis=0, out=having, mode="clip")
            np.add(shared, having, out=shared)
        return shared

    def followed_by(self, other: ChosenOptions) -> ChosenOptions:
        """These genotypes, then the others."""
        places = np.hstack((self.places, other.places))
        return ChosenOptions(places, self.features, self.products)
