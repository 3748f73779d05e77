"""The results that a model learns from."""

from bisect import insort

from nas.space import Genotype


class Results:
    """What candidates scored, 0 or more: all of them, of which a bounded number is `remembered`.

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
        """A candidate that was not added before."""
        insort(self._ranked, (score, -len(self._latest), genotype))
        self._latest.append((genotype, score))

    def best(self, count: int) -> list[Genotype]:
        """At most so many, the best first, and of equals the earliest."""
        return [genotype for _, _, genotype in reversed(self._ranked[-count:])]

    def remembered(self) -> tuple[list[Genotype], list[float]]:
        """The best half of what is remembered, and for the rest the latest, in no particular order."""
        kept = {genotype: score for score, _, genotype in self._ranked[-(self._memory // 2) :]}
        for genotype, score in reversed(self._latest[-self._memory :]):
            if len(kept) == self._memory:
                break
            kept[genotype] = score
        return list(kept), list(kept.values())
