"""The initial population of an evolutionary or local search."""

from collections.abc import Sequence

from strategies.candidates.individual import Individual

SAMPLES_PER_MEMBER = 20
"""The most candidates that are evaluated per member of the population, in case the budget is too
tight for random candidates to meet it.
"""


class InitialPopulation:
    """Collects random candidates until `count` of them are feasible.

    Infeasible candidates cost nothing, because they are not trained. If fewer than `count` of
    `SAMPLES_PER_MEMBER` × `count` candidates are feasible, those with the smallest excess fill up
    the population.

    Args:
        count: The size of the population, at least 1.

    Raises:
        ValueError: if `count` is below 1.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(
                f"a search must start from at least 1 random candidate, but got {count}"
            )
        self._count = count
        self._candidates: list[Individual] = []
        self._feasible = 0

    def add(self, candidate: Individual) -> Sequence[Individual]:
        """Adds a candidate and returns the population, oldest first; empty until it is complete."""
        self._candidates.append(candidate)
        self._feasible += candidate.feasible
        if (
            self._feasible < self._count
            and len(self._candidates) < SAMPLES_PER_MEMBER * self._count
        ):
            return ()
        # The sort is stable, and all feasible candidates have an excess of 0: the first ones win.
        by_excess = sorted(
            range(len(self._candidates)),
            key=lambda index: -min(self._candidates[index].score, 0.0),
        )
        return [self._candidates[index] for index in sorted(by_excess[: self._count])]
