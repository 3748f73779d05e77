"""Genotypes as rows of numbers, many at a time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.space import Choices, Genotype

Genes = NDArray[np.int64]
Matrix = NDArray[np.float64]


class Encoding:
    """What a surrogate sees of a genotype: a one-hot block for each choice, all zeros where the
    choice is inactive.

    They are scaled so that the squared distance of two rows is the share of the choices that both
    decide, and decide differently, plus half the share of those that only one decides.
    """

    def __init__(self, choices: Choices) -> None:
        self.arities = np.asarray(choices.arities)
        self._offsets = np.concatenate(([0], np.cumsum(self.arities)[:-1]))
        self._width = int(self.arities.sum())
        index = {choice.name: i for i, choice in enumerate(choices)}
        self._above: list[tuple[int, NDArray[np.bool_]] | None] = []
        for choice in choices:
            if choice.when is None:
                self._above.append(None)
            else:
                name, values = choice.when
                options = choices[index[name]].options
                self._above.append(
                    (index[name], np.array([option in values for option in options]))
                )

    def rows(self, genotypes: Sequence[Genotype]) -> Genes:
        """Genotypes as an array, [n, choices]."""
        return np.asarray(genotypes, np.int64).reshape(len(genotypes), len(self.arities))

    def active(self, genes: Genes) -> NDArray[np.bool_]:
        """Which choices are part of each design, [n, choices]."""
        active = np.ones(genes.shape, np.bool_)
        for index, condition in enumerate(self._above):
            if condition is not None:
                above, opens = condition
                active[:, index] = active[:, above] & opens[genes[:, above]]
        return active

    def canonical(self, genes: Genes) -> Genes:
        """Every inactive gene set to 0."""
        return np.where(self.active(genes), genes, 0)

    def sample(self, rng: np.random.Generator, count: int) -> Genes:
        """Canonical genotypes, each active choice uniform over its options."""
        return self.canonical(rng.integers(self.arities, size=(count, len(self.arities))))

    def features(self, genes: Genes) -> Matrix:
        """The rows of a model, [n, sum of the arities]."""
        rows = np.zeros((len(genes), self._width))
        np.put_along_axis(
            rows,
            genes + self._offsets,
            self.active(genes) * np.sqrt(0.5 / len(self.arities)),
            axis=1,
        )
        return rows

    def mutants(self, parents: Genes, rng: np.random.Generator) -> Genes:
        """One canonical neighbor of each parent: one active choice takes another option.

        Choices that this brings to life are drawn uniformly; where no active choice has a second
        option, the parent itself is returned.
        """
        free = self.active(parents) & (self.arities > 1)
        index = np.argmax(np.where(free, rng.random(parents.shape), -1.0), axis=1)
        rows = np.arange(len(parents))
        genes = np.where(
            self.active(parents), parents, rng.integers(self.arities, size=parents.shape)
        )
        step = 1 + rng.integers(np.maximum(self.arities[index] - 1, 1))
        genes[rows, index] = (genes[rows, index] + step * free[rows, index]) % self.arities[index]
        return self.canonical(genes)


def genotypes(genes: Genes) -> list[Genotype]:
    """The rows as tuples of int."""
    return [tuple(row) for row in genes.tolist()]
