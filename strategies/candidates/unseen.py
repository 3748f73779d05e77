"""Proposals that were not made before, as far as a bounded effort finds them."""

from collections.abc import Callable

from nas.space import Choices, Genotype


class Unseen:
    """Remembers what it handed out, and draws again instead of repeating itself.

    A repeat is legal but wasted: it is told from memory. Only so many redraws are made, because in
    a nearly exhausted space, or near a converged strategy, an unseen genotype may not be within
    reach; then the last draw is repeated.

    Raises:
        ValueError: if `redraws` is below 0.
    """

    def __init__(self, choices: Choices, redraws: int) -> None:
        if redraws < 0:
            raise ValueError(f"redraws must be 0 or more, but got {redraws}")
        self._redraws = redraws
        self._size = choices.size
        self._seen: set[Genotype] = set()

    def draw(self, propose: Callable[[], Genotype]) -> Genotype:
        """The first unseen genotype out of `propose`, which must return canonical ones, or else its
        last one.
        """
        genotype = propose()
        for _ in range(self._redraws if len(self._seen) < self._size else 0):
            if genotype not in self._seen:
                break
            genotype = propose()
        self._seen.add(genotype)
        return genotype

    def __contains__(self, genotype: Genotype) -> bool:
        """Whether it was handed out."""
        return genotype in self._seen

    def add(self, genotype: Genotype) -> None:
        """Counts a genotype as handed out that was not drawn here."""
        self._seen.add(genotype)
