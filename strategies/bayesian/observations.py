"""The observations that a surrogate model is fitted to."""

from bisect import bisect_right, insort
from collections.abc import Sequence
from operator import itemgetter

from nas.space import Genotype


class Observations:
    """Scores of evaluated candidates, 0 or more, of which a bounded subset is modeled.

    Args:
        memory: The most observations in the training set, at least 2.

    Raises:
        ValueError: if `memory` is below 2.
    """

    def __init__(self, memory: int) -> None:
        if memory < 2:
            raise ValueError(f"memory must be at least 2, but got {memory}")
        self._memory = memory
        self._ranked: list[tuple[float, int, Genotype]] = []
        self._latest: list[tuple[Genotype, float]] = []

    def __len__(self) -> int:
        return len(self._latest)

    def add(self, genotype: Genotype, score: float) -> None:
        """Adds an observation of a genotype that has none yet."""
        insort(self._ranked, (score, -len(self._latest), genotype))
        self._latest.append((genotype, score))

    def rescored(self, scores: Sequence[float]) -> "Observations":
        """The same candidates with other scores, in the order in which they were added."""
        other = Observations(self._memory)
        for (genotype, _), score in zip(self._latest, scores, strict=True):
            other.add(genotype, score)
        return other

    def share_above(self, score: float) -> float:
        """The share of the observations that are better than a score; 0 without observations."""
        better = len(self._ranked) - bisect_right(self._ranked, score, key=itemgetter(0))
        return better / max(len(self._ranked), 1)

    def best(self, count: int) -> list[Genotype]:
        """At most `count` genotypes, best first; ties are in the order in which they were added."""
        return [genotype for _, _, genotype in reversed(self._ranked[-count:])]

    def training_set(self) -> tuple[list[Genotype], list[float]]:
        """Genotypes and their scores: the best `memory` / 2, and the latest of the others."""
        kept = {genotype: score for score, _, genotype in self._ranked[-(self._memory // 2) :]}
        for genotype, score in reversed(self._latest[-self._memory :]):
            if len(kept) == self._memory:
                break
            kept[genotype] = score
        return list(kept), list(kept.values())
