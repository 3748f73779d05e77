"""Who is there before anybody has children."""

from collections.abc import Sequence

from strategies.candidates.individual import Individual

PATIENCE = 20
"""How many times as many candidates may be told while too few meet the budget, which may be too
tight to be met by chance.
"""


class InitialPopulation:
    """Random candidates, until `count` of them meet the budget: what does not is never trained, and
    so costs nothing.

    If too few of `PATIENCE` times as many do, the others are those that break it least.

    Raises:
        ValueError: if `count` is below 1.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(
                f"a search must start from at least 1 random candidate, but got {count}"
            )
        self._count = count
        self._told: list[Individual] = []
        self._within = 0

    def joined_by(self, candidate: Individual) -> Sequence[Individual]:
        """All of them, from the oldest to the youngest, once they are complete; nobody before."""
        self._told.append(candidate)
        self._within += candidate.score >= 0
        if self._within < self._count and len(self._told) < PATIENCE * self._count:
            return ()
        # Sorting keeps the order of equals: all that meet the budget are.
        least = sorted(range(len(self._told)), key=lambda index: -min(self._told[index].score, 0.0))
        return [self._told[index] for index in sorted(least[: self._count])]
