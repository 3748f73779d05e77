"""Ways through what breaks the budget."""

import numpy as np

from nas.space import Choices, Genotype
from strategies.candidates.unseen import Unseen
from strategies.candidates.variation import mutated

STEPS = 4
"""The most mutations of a way."""


class Repair:
    """Mutates what broke the budget once more: to give in one place and take in another needs two
    mutations.

    What is over budget is never trained, so a way of up to `STEPS` mutations costs as much as its
    end.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator, unseen: Unseen) -> None:
        self._choices = choices
        self._rng = rng
        self._unseen = unseen
        self._lengths: dict[Genotype, int] = {}
        self._open: list[Genotype] = []

    def broken_by(self, genotype: Genotype) -> None:
        """A mutation that broke the budget: a way goes on from here, unless it has been long
        enough.
        """
        if self._lengths.get(genotype, 1) < STEPS:
            self._open.append(genotype)

    def step(self) -> Genotype | None:
        """The next mutation of a way, or None where no way is open."""
        if not self._open:
            return None
        origin = self._open.pop()
        genotype = self._unseen.draw(lambda: mutated(self._choices, origin, self._rng))
        self._lengths[genotype] = self._lengths.get(origin, 1) + 1
        return genotype
