"""Many candidates trained a little, few trained in full: successive halving and Hyperband round any
strategy.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

import numpy as np

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Facts, Informed, Proposal, Reporting, Strategy, StrategyFactory
from strategies.multi_fidelity.bracket import Bracket, Rung, halvings, rungs


class _Brackets:
    """Runs brackets one after the other, and a strategy that fills them.

    While the results that one bracket needs are outstanding the next one begins, so that there is
    always something to propose. The strategy is told one fitness for each genotype that it was
    asked for, in that order: the one of the highest rung that the candidate reached. It comes late,
    but it is of more epochs the better the candidate is, and candidates that were given up early
    are below those that they lost to.
    """

    def __init__(self, strategy: Strategy, ladders: Sequence[tuple[Rung, ...]]) -> None:
        self._strategy = strategy
        self._ladders = cycle(ladders)
        self._brackets: list[Bracket] = []
        self._outstanding: deque[Bracket] = deque()
        self._drawn: deque[tuple[Proposal, Bracket]] = deque()

    def ask(self) -> Proposal:
        """A candidate that goes on, or else a new one."""
        bracket = next((bracket for bracket in self._brackets if bracket.wanting), None)
        if bracket is None:
            bracket = Bracket(next(self._ladders))
            self._brackets.append(bracket)
        self._outstanding.append(bracket)
        return bracket.ask(lambda: self._draw(bracket))

    def _draw(self, bracket: Bracket) -> Genotype:
        proposal = self._strategy.ask()
        if proposal.epochs is not None:
            raise ValueError(
                f"the strategy inside must leave the epochs to this one, but proposed {proposal}"
            )
        self._drawn.append((proposal, bracket))
        return proposal.genotype

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """The result of the oldest outstanding candidate; the strategy is told of those whose way
        has ended.
        """
        self._outstanding.popleft().tell(proposal.genotype, fitness)
        self._brackets = [bracket for bracket in self._brackets if not bracket.finished]
        while self._drawn and self._drawn[0][0].genotype not in self._drawn[0][1].undecided:
            drawn, bracket = self._drawn.popleft()
            self._strategy.tell(drawn, bracket.reached[drawn.genotype])

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """Hands `facts` on to a strategy that wants them."""
        if isinstance(self._strategy, Informed):
            self._strategy.inform(facts)

    def report(self) -> Mapping[str, float]:
        """What the strategy reports, if it does."""
        return self._strategy.report() if isinstance(self._strategy, Reporting) else {}


class SuccessiveHalving(_Brackets):
    """Jamieson & Talwalkar 2016: the better one in `eta` of many candidates is trained anew for
    `eta` times as many epochs.

    `epochs` is how many the recipe has in all: the highest rung is trained by the recipe, the ones
    below for `epochs` / `eta`, / `eta`² … down to at least `least`. One candidate of each bracket
    gets there. Every rung is a trial.

    Raises:
        ValueError: if `eta` is below 2, or `least` not within 1 to `epochs`.
    """

    def __init__(
        self,
        choices: Choices,
        rng: np.random.Generator,
        strategy: StrategyFactory,
        epochs: int,
        eta: int = 3,
        least: int = 2,
    ) -> None:
        times = halvings(epochs, eta, least)
        super().__init__(strategy(choices, rng), [rungs(eta**times, epochs, eta, times)])


class Hyperband(_Brackets):
    """Li et al. 2018: brackets of successive halving that begin with ever fewer candidates and ever
    more epochs, in turn.

    The last bracket of each turn trains all its candidates in full, in case few epochs mislead. The
    arguments are those of `SuccessiveHalving`.

    Raises:
        ValueError: if `eta` is below 2, or `least` not within 1 to `epochs`.
    """

    def __init__(
        self,
        choices: Choices,
        rng: np.random.Generator,
        strategy: StrategyFactory,
        epochs: int,
        eta: int = 3,
        least: int = 2,
    ) -> None:
        most = halvings(epochs, eta, least)
        # So many candidates that each bracket costs about as much as the others.
        sizes = [-(-(most + 1) * eta**times // (times + 1)) for times in range(most + 1)]
        super().__init__(
            strategy(choices, rng),
            [rungs(sizes[times], epochs, eta, times) for times in reversed(range(most + 1))],
        )
