"""Deduplication of proposals by a bounded number of redraws."""

from collections.abc import Callable

from nas.space import Choices, Genotype


class Proposed:
    """The set of genotypes proposed so far, from which new ones are kept apart.

    A repeated proposal is allowed but wasted, because its result is known. Redraws are bounded: in
    a nearly exhausted space, or around a converged policy, no new genotype may be in reach, and the
    last draw is repeated then.

    Args:
        choices: The space to search.
        redraws: The most redraws per proposal, at least 0.

    Raises:
        ValueError: if `redraws` is below 0.
    """

    def __init__(self, choices: Choices, redraws: int) -> None:
        if redraws < 0:
            raise ValueError(f"redraws must be 0 or more, but got {redraws}")
        self._redraws = redraws
        self._size = choices.size
        self._genotypes: set[Genotype] = set()

    def draw_new(self, sample: Callable[[], Genotype]) -> Genotype:
        """The first new genotype that `sample` returns, or its last draw if none is new.

        `sample` must return canonical genotypes.
        """
        genotype = sample()
        for _ in range(self._redraws if len(self._genotypes) < self._size else 0):
            if genotype not in self._genotypes:
                break
            genotype = sample()
        self._genotypes.add(genotype)
        return genotype

    def __contains__(self, genotype: Genotype) -> bool:
        return genotype in self._genotypes

    def add(self, genotype: Genotype) -> None:
        """Adds a genotype that was proposed without `draw_new`."""
        self._genotypes.add(genotype)
