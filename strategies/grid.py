"""Grid search in a low-discrepancy order."""

from itertools import count

import numpy as np

from nas.objective import Fitness
from nas.seeds import derive
from nas.space import Choices, Genotype
from nas.strategy import Proposal


class Grid:
    """Grid search over every design, in an order of which each prefix is spread over the space.

    The index of a proposal is read as digits, one per choice, the least significant one first: the
    options of the first choice alternate, within each of them those of the second choice, and so on
    (van der Corput 1935). The order of options at a choice is rotated by an offset that depends on
    the preceding decisions and on `rng`, so that later choices vary from the start (nested
    scrambling, Owen 1995). An option is skipped once all designs below it have been proposed. After
    the last design the sequence repeats.

    Args:
        choices: The space to search, of any size: designs are computed one at a time.
        rng: The source of the offsets.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
        self._choices = choices
        self._seed = int(rng.integers(2**63))
        self._indices = count()

    def ask(self) -> Proposal:
        """The next design."""
        return Proposal(self._design(next(self._indices) % self._choices.size))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Does nothing: proposals do not depend on results."""

    def _design(self, index: int) -> Genotype:
        genes = list[int]()
        for choice, arity in enumerate(self._choices.arities):
            if not self._choices.is_active(choice, genes):
                genes.append(0)
                continue
            sizes = [self._choices.completions([*genes, option]) for option in range(arity)]
            remaining, index, position = _round_robin(index, sizes)
            offset = derive(self._seed, ",".join(map(str, genes))) % len(remaining)
            genes.append(remaining[(offset + position) % len(remaining)])
        return tuple(genes)


def _round_robin(index: int, sizes: list[int]) -> tuple[list[int], int, int]:
    """Step `index` of a round robin in which option i takes part in the first `sizes[i]` rounds:
    the options still taking part, the round, and the position within the round.
    """
    done = 0
    for size in sorted(set(sizes)):
        options = [option for option, own in enumerate(sizes) if own >= size]
        if index < (size - done) * len(options):
            break
        index -= (size - done) * len(options)
        done = size
    return options, done + index // len(options), index % len(options)
