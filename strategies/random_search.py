"""Random search, the baseline of all other strategies."""

import numpy as np

from nas.objective import Fitness
from nas.space import Choices
from nas.strategy import Proposal
from strategies.candidates.proposed import Proposed


class RandomSearch:
    """Random search: every active choice is uniform over its options.

    Up to 100 redraws avoid a repeated proposal, so that repeats occur only in a nearly exhausted
    space.

    Args:
        choices: The space to search.
        rng: The source of all randomness.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
        self._choices = choices
        self._rng = rng
        self._proposed = Proposed(choices, redraws=100)

    def ask(self) -> Proposal:
        """A new random genotype, or a repeated one if all redraws are repeats."""
        return Proposal(self._proposed.draw_new(lambda: self._choices.sample(self._rng)))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Does nothing: proposals do not depend on results."""
