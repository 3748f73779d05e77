"""Brackets of successive halving."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from nas.objective import Fitness
from nas.space import Genotype
from nas.strategy import Proposal


@dataclass(frozen=True)
class Rung:
    """A number of candidates and the epochs that each is trained for; None: those of the recipe."""

    candidates: int
    epochs: int | None


def max_halvings(epochs: int, eta: int, least: int) -> int:
    """How often `epochs` can be divided by `eta`, rounded down, without falling below `least`; if
    that is 0, until 0 is reached.

    Raises:
        ValueError: if `eta` is below 2, or `least` is not within 0 to `epochs`, which is at least 1.
    """
    if eta < 2:
        raise ValueError(f"eta must be at least 2, but got {eta}")
    if not 0 <= least <= epochs or epochs < 1:
        raise ValueError(f"least must be within 0 … epochs ({epochs}), but got {least}")
    halvings = 0
    while epochs // eta ** (halvings + 1) >= max(least, 1):
        halvings += 1
    return halvings if least > 0 else halvings + 1


def rungs(candidates: int, epochs: int, eta: int, halvings: int) -> tuple[Rung, ...]:
    """The rungs of a bracket of `halvings` + 1, lowest first: each one has 1 / `eta` of the
    candidates of the one below, and `eta` times the epochs.
    """
    partial = [
        Rung(candidates // eta**level, epochs // eta ** (halvings - level))
        for level in range(halvings)
    ]
    return (*partial, Rung(candidates // eta**halvings, None))


class Bracket:
    """One run of successive halving: the best candidates of each rung, by the first component of
    the fitness, are trained anew on the next one.

    Infeasible candidates, over budget or failed, are replaced on the lowest rung, but not on higher
    ones.

    Args:
        rungs: The rungs, lowest first.
    """

    def __init__(self, rungs: tuple[Rung, ...]) -> None:
        self._rungs = rungs
        self._level = 0
        self._promoted: deque[Genotype] = deque()
        self._outstanding = 0
        self._results: list[Genotype] = []
        self.last_fitness: dict[Genotype, Fitness] = {}
        """The fitness of each genotype on the highest rung that it was trained on."""
        self.in_progress: set[Genotype] = set()
        """The genotypes for which a further result is possible."""

    @property
    def finished(self) -> bool:
        """Whether no proposals or results are left."""
        return self._level == len(self._rungs)

    @property
    def can_ask(self) -> bool:
        """Whether the present rung has a candidate to propose."""
        if self._level > 0:
            return bool(self._promoted)
        return self._outstanding + len(self._results) < self._rungs[0].candidates

    def ask(self, sample: Callable[[], Genotype]) -> Proposal:
        """The next candidate of the present rung; `sample` makes those of the lowest rung."""
        genotype = sample() if self._level == 0 else self._promoted.popleft()
        self._outstanding += 1
        self.in_progress.add(genotype)
        return Proposal(genotype, self._rungs[self._level].epochs)

    def tell(self, genotype: Genotype, fitness: Fitness) -> None:
        """Records a result; the last one of a rung promotes the best candidates."""
        self._outstanding -= 1
        self.last_fitness[genotype] = fitness
        if fitness[0] >= 0:
            self._results.append(genotype)
        elif genotype not in self._results:
            self.in_progress.discard(genotype)
        if not self._outstanding and not self.can_ask:
            self._promote()

    def _promote(self) -> None:
        self._level += 1
        places = 0 if self.finished else self._rungs[self._level].candidates
        # A repeated proposal takes one place; ties are resolved in favor of the earliest.
        ranked = sorted(
            dict.fromkeys(self._results), key=lambda genotype: -self.last_fitness[genotype][0]
        )
        best = ranked[:places]
        self._promoted.extend(best)
        self.in_progress = set(best)
        self._results = []
        if not best:
            self._level = len(self._rungs)
