"""A strategy that starts from candidates that are known to be good."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Facts, Informed, Proposal, Reporting, StrategyFactory


class WarmStart:
    """Proposes given candidates first, and then those of another strategy, which learns from the
    results of all of them.

    The inner strategy is told results of proposals that it did not make: populations take them as
    members, models as observations, and a policy as episodes of another policy. Brackets of several
    fidelities cannot, so they go round this strategy, not inside of it.

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        strategy: Makes the inner strategy.
        genotypes: The first proposals, in this order; one that is there twice is proposed once.

    Raises:
        ValueError: if a genotype does not lie in the space.
    """

    def __init__(
        self,
        choices: Choices,
        rng: np.random.Generator,
        strategy: StrategyFactory,
        genotypes: Sequence[Genotype],
    ) -> None:
        self._first = deque(dict.fromkeys(map(choices.canonical, genotypes)))
        self._strategy = strategy(choices, rng)

    def ask(self) -> Proposal:
        """The next given candidate, or a proposal of the inner strategy after the last one."""
        return Proposal(self._first.popleft()) if self._first else self._strategy.ask()

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Passes the result on, whoever made the proposal."""
        self._strategy.tell(proposal, fitness)

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """Passes `facts` on if the inner strategy is `Informed`."""
        if isinstance(self._strategy, Informed):
            self._strategy.inform(facts)

    def report(self) -> Mapping[str, float]:
        """The report of the inner strategy, empty if it makes none."""
        return self._strategy.report() if isinstance(self._strategy, Reporting) else {}
