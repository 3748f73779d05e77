"""Grid search: every design once, the whole space first in outline."""

from itertools import count

import numpy as np

from nas.objective import Fitness
from nas.seeds import derive
from nas.space import Choices, Genotype
from nas.strategy import Proposal


class Grid:
    """Exhaustive, in an order of which every beginning is spread out over the space, however large
    that is.

    The number of a proposal is read as digits, one a choice, the first digit first: so the options
    of the first choice take turns, under each of them those of the second, and so on (van der
    Corput 1935). Each turn starts from an option that depends on the decisions before it and on
    `rng`, so that choices whose turn has not come yet vary too (nested scrambling, Owen 1995). An
    option with fewer designs below it drops out when they are all proposed. After the last design
    the first one comes again.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
        self._choices = choices
        self._seed = int(rng.integers(2**63))
        self._numbers = count()

    def ask(self) -> Proposal:
        """The next design."""
        return Proposal(self._design(next(self._numbers) % self._choices.size))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Nothing is learnt."""

    def _design(self, number: int) -> Genotype:
        designs, genes = self._choices.size, list[int]()
        for index, below in enumerate(self._choices.below):
            if not self._choices.is_active(index, genes):
                genes.append(0)
                continue
            outside = designs // sum(below)
            open_options, turn, place = _turn(number, [outside * inside for inside in below])
            start = derive(self._seed, ",".join(map(str, genes))) % len(open_options)
            option = open_options[(start + place) % len(open_options)]
            designs, number = outside * below[option], turn
            genes.append(option)
        return tuple(genes)


def _turn(number: int, sizes: list[int]) -> tuple[list[int], int, int]:
    """Where options take turns until each has had as many as its size: those with a turn left,
    which turn, whose place.
    """
    done = 0
    for size in sorted(set(sizes)):
        options = [option for option, own in enumerate(sizes) if own >= size]
        if number < (size - done) * len(options):
            break
        number -= (size - done) * len(options)
        done = size
    return options, done + number // len(options), number % len(options)
