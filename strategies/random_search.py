"""Random search: the baseline that every other strategy has to beat."""

import numpy as np

from nas.objective import Fitness
from nas.space import Choices
from nas.strategy import Proposal
from strategies.candidates.unseen import Unseen


class RandomSearch:
    """Every active choice uniform over its options; a design comes twice only once the space is
    nearly exhausted.
    """

    def __init__(self, choices: Choices, rng: np.random.Generator) -> None:
        self._choices = choices
        self._rng = rng
        self._unseen = Unseen(choices, redraws=100)

    def ask(self) -> Proposal:
        """A genotype that was not proposed before, unless 100 redraws find none."""
        return Proposal(self._unseen.draw(lambda: self._choices.sample(self._rng)))

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Nothing is learnt."""
