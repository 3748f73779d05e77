"""Vectorized encoding, sampling and mutation of genotypes."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from nas.space import Choices, Genotype
from strategies.bayesian.activity import Activity
from strategies.bayesian.chosen_options import ChosenOptions, products_of_shared
from strategies.bayesian.inputs import Inputs, Matrix

Genes = NDArray[np.int64]


class Encoding:
    """One-hot features of genotypes: one block per choice, all zeros if the choice is inactive.

    Features are scaled so that the squared distance of two genotypes is the share of choices that
    are active in both with different options, plus half the share of those active in only one.

    Args:
        choices: The space to search.
    """

    def __init__(self, choices: Choices) -> None:
        self.arities = np.asarray(choices.arities)
        self._offsets = np.concatenate(([0], np.cumsum(self.arities)[:-1]))
        self._width = int(self.arities.sum())
        self._choices = choices
        self._activity = Activity(choices)
        self._feature = np.sqrt(0.5 / len(self.arities))
        self._products = products_of_shared(len(self.arities), self._feature)

    def genes(self, genotypes: Sequence[Genotype]) -> Genes:
        """Genotypes as an array, [n, choices]."""
        count = len(genotypes) * len(self.arities)
        flat = np.fromiter(chain.from_iterable(genotypes), np.int64, count)
        return flat.reshape(len(genotypes), len(self.arities))

    def active(self, genes: Genes) -> NDArray[np.bool_]:
        """Which choices are active, [n, choices]."""
        return self._activity.of(genes)

    def canonical(self, genes: Genes) -> Genes:
        """The genes with every inactive one set to 0."""
        return np.where(self.active(genes), genes, 0)

    def sample(self, rng: np.random.Generator, count: int) -> Genes:
        """Canonical genotypes [count, choices], each active choice uniform over its options, given
        that the constraints hold.
        """
        if self._choices.constraints:
            return self.genes([self._choices.sample(rng) for _ in range(count)])
        return self.canonical(rng.integers(self.arities, size=(count, len(self.arities))))

    def features(self, genes: Genes) -> Matrix:
        """The features of a model, [n, sum of the arities]."""
        return self._features(genes, self.active(genes))

    def _features(self, genes: Genes, active: NDArray[np.bool_]) -> Matrix:
        features = np.zeros((len(genes), self._width))
        np.put_along_axis(features, genes + self._offsets, active * self._feature, axis=1)
        return features

    def inputs(self, genotypes: Sequence[Genotype]) -> Inputs:
        """Genotypes as inputs of a model, without costs."""
        genes = self.genes(genotypes)
        active = self.active(genes)
        places = np.ascontiguousarray(np.where(active, genes + self._offsets, self._width).T)
        options = ChosenOptions(places, self._width, self._products)
        return Inputs(self._features(genes, active), np.zeros((len(genes), 0)), options)

    def mutate(self, parents: Genes, rng: np.random.Generator) -> Genes:
        """One canonical neighbor of each parent: one active choice takes another option.

        Choices that become active are drawn uniformly; what constraints tie to the choice follows
        it. If no active choice has a second option, the parent itself is returned.
        """
        active = self.active(parents)
        mutable = active & (self.arities > 1)
        index = np.argmax(np.where(mutable, rng.random(parents.shape), -1.0), axis=1)
        rows = np.arange(len(parents))
        genes = np.where(active, parents, rng.integers(self.arities, size=parents.shape))
        step = 1 + rng.integers(np.maximum(self.arities[index] - 1, 1))
        genes[rows, index] = (genes[rows, index] + step * mutable[rows, index]) % self.arities[
            index
        ]
        if self._choices.constraints:
            pairs = zip(genotypes(genes), index.tolist(), strict=True)
            return self.genes([self._choices.nearest(each, kept=[at]) for each, at in pairs])
        return self.canonical(genes)


def genotypes(genes: Genes) -> list[Genotype]:
    """The rows of an array as genotypes."""
    return list(map(tuple, genes.tolist()))
