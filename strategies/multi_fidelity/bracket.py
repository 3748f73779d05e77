"""How many candidates are trained for how many epochs, and which of them go on."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from nas.objective import Fitness
from nas.space import Genotype
from nas.strategy import Proposal


@dataclass(frozen=True)
class Rung:
    """So many candidates of a bracket are trained for so many epochs (None: as many as the recipe
    says).
    """

    candidates: int
    epochs: int | None


def halvings(epochs: int, eta: int, least: int) -> int:
    """How often `epochs` can be divided by `eta` (2 or more) with at least `least` epochs (1 or
    more) left.

    Raises:
        ValueError: if an argument is outside its range.
    """
    if eta < 2:
        raise ValueError(f"eta must be at least 2, but got {eta}")
    if not 1 <= least <= epochs:
        raise ValueError(f"least must be within 1 … epochs ({epochs}), but got {least}")
    times = 0
    while epochs // eta ** (times + 1) >= least:
        times += 1
    return times


def rungs(candidates: int, epochs: int, eta: int, times: int) -> tuple[Rung, ...]:
    """The rungs of one bracket from the lowest: each trains one in `eta` of the one before, for
    `eta` times as many epochs.
    """
    short = [
        Rung(candidates // eta**level, epochs // eta ** (times - level)) for level in range(times)
    ]
    return (*short, Rung(candidates // eta**times, None))


class Bracket:
    """Candidates on their way up a ladder of rungs; the best of each rung, in `fitness[0]`, are
    trained anew on the next.

    Those over budget or failed take no place: others are asked for instead on the lowest rung, and
    nobody goes on in their stead from a higher one. `reached` has for each genotype the fitness at
    the last rung it was trained on, `undecided` the genotypes for which there may be another.
    """

    def __init__(self, ladder: tuple[Rung, ...]) -> None:
        self._ladder = ladder
        self._level = 0
        self._waiting: deque[Genotype] = deque()
        self._outstanding = 0
        self._ranked: list[Genotype] = []
        self.reached: dict[Genotype, Fitness] = {}
        self.undecided: set[Genotype] = set()

    @property
    def finished(self) -> bool:
        """Whether nothing is left to ask for or to wait for."""
        return self._level == len(self._ladder)

    @property
    def wanting(self) -> bool:
        """Whether there is something to ask for now."""
        if self._level > 0:
            return bool(self._waiting)
        return self._outstanding + len(self._ranked) < self._ladder[0].candidates

    def ask(self, draw: Callable[[], Genotype]) -> Proposal:
        """The next candidate of the present rung; `draw` makes the ones of the lowest."""
        genotype = draw() if self._level == 0 else self._waiting.popleft()
        self._outstanding += 1
        self.undecided.add(genotype)
        return Proposal(genotype, self._ladder[self._level].epochs)

    def tell(self, genotype: Genotype, fitness: Fitness) -> None:
        """The result of a candidate; the last one of a rung decides who goes on."""
        self._outstanding -= 1
        self.reached[genotype] = fitness
        if fitness[0] >= 0:
            self._ranked.append(genotype)
        elif genotype not in self._ranked:
            self.undecided.discard(genotype)
        if not self._outstanding and not self.wanting:
            self._climb()

    def _climb(self) -> None:
        self._level += 1
        places = 0 if self.finished else self._ladder[self._level].candidates
        # A genotype that was proposed twice has one place; of equals the earliest goes on.
        best = sorted(dict.fromkeys(self._ranked), key=lambda genotype: -self.reached[genotype][0])[
            :places
        ]
        self._waiting.extend(best)
        self.undecided = set(best)
        self._ranked = []
        if not best:
            self._level = len(self._ladder)
