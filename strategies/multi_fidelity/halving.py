"""Successive halving and Hyperband around any strategy."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import cycle
from typing import Literal

import numpy as np

from nas.objective import Fitness
from nas.space import Choices, Genotype
from nas.strategy import Facts, Informed, Proposal, Reporting, Strategy, StrategyFactory
from strategies.multi_fidelity.bracket import Bracket, Rung, max_halvings, rungs
from strategies.multi_fidelity.rank_correlation import RankCorrelations

LEAST_CORRELATION, PAIRS_TO_JUDGE_BY = 0.1, 12


class _Brackets:
    """Runs one bracket after another, with candidates of an inner strategy.

    While a bracket waits for results, the next one starts, so that there is always a proposal. The
    inner strategy gets one fitness per proposal, in the order of its proposals: that of the highest
    rung which the candidate reached. It is delayed until that rung is known, and it is of more
    epochs for better candidates, so that those dropped early rank below those that beat them.

    A rung that does not rank, by the candidates that were promoted from it, is left out of further
    brackets: its rank correlation with the next is below 0.1 over 12 candidates or more.
    """

    def __init__(self, strategy: Strategy, ladders: Sequence[tuple[Rung, ...]]) -> None:
        self._strategy = strategy
        self._ladders = cycle(ladders)
        self._brackets: list[Bracket] = []
        self._outstanding: deque[Bracket] = deque()
        self._inner_proposals: deque[tuple[Proposal, Bracket]] = deque()
        self._correlations = RankCorrelations()

    def ask(self) -> Proposal:
        """A promoted candidate if there is one, otherwise one of the inner strategy."""
        bracket = next((bracket for bracket in self._brackets if bracket.can_ask), None)
        if bracket is None:
            bracket = Bracket(self._ranking(next(self._ladders)))
            self._brackets.append(bracket)
        self._outstanding.append(bracket)
        return bracket.ask(lambda: self._sample(bracket))

    def _ranking(self, ladder: tuple[Rung, ...]) -> tuple[Rung, ...]:
        """The rungs of a ladder without those that do not rank."""
        found = self._correlations.with_next(PAIRS_TO_JUDGE_BY)
        useless = {epochs for epochs in found if found[epochs] < LEAST_CORRELATION}
        return tuple(rung for rung in ladder if rung.epochs not in useless)

    def _sample(self, bracket: Bracket) -> Genotype:
        proposal = self._strategy.ask()
        if proposal.epochs is not None:
            raise ValueError(
                f"the inner strategy must propose no epochs of its own, but proposed {proposal}"
            )
        self._inner_proposals.append((proposal, bracket))
        return proposal.genotype

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Passes the result to its bracket, and final results on to the inner strategy."""
        self._correlations.add(proposal, fitness)
        self._outstanding.popleft().tell(proposal.genotype, fitness)
        self._brackets = [bracket for bracket in self._brackets if not bracket.finished]
        while self._inner_proposals:
            inner, bracket = self._inner_proposals[0]
            if inner.genotype in bracket.in_progress:
                break
            self._inner_proposals.popleft()
            self._strategy.tell(inner, bracket.last_fitness[inner.genotype])

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """Passes `facts` on to the inner strategy if it is `Informed`."""
        if isinstance(self._strategy, Informed):
            self._strategy.inform(facts)

    def report(self) -> Mapping[str, float]:
        """The report of the inner strategy, if it makes one, and the rank correlation of each rung
        with the next.
        """
        inner = self._strategy.report() if isinstance(self._strategy, Reporting) else {}
        correlations = self._correlations.with_next()
        return {
            **inner,
            **{f"rank_correlation_of_{n:g}_epochs": value for n, value in correlations.items()},
        }


class SuccessiveHalving(_Brackets):
    """Successive halving (Jamieson & Talwalkar 2016): the best 1 / `eta` of the candidates of a
    rung are trained anew for `eta` times as many epochs.

    One candidate of each bracket reaches the highest rung, which is trained by the recipe. Every
    training counts as a trial.

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        strategy: Makes the inner strategy, which proposes the candidates of the lowest rung. It
            must not propose epochs.
        epochs: The number of epochs of the recipe. The rungs below the highest one are trained for
            `epochs` / `eta` epochs, those below for as many / `eta`, and so on.
        eta: The ratio between consecutive rungs, at least 2; 3 and 4 are usual.
        least: The fewest epochs of a rung, 0 to `epochs`. Rankings by fewer epochs are too
            unreliable to halve by. Networks that come trained can be ranked by 0 epochs: with 8
            epochs and an `eta` of 5, the rungs are 0, 1 and 8.

    Raises:
        ValueError: if `eta` is below 2, or `least` is not within 0 to `epochs`.
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
        halvings = max_halvings(epochs, eta, least)
        ladder = rungs(eta**halvings, epochs, eta, halvings)
        super().__init__(strategy(choices, rng), [ladder])


class Hyperband(_Brackets):
    """Hyperband (Li et al. 2018): brackets of successive halving, cycling from many candidates of
    few epochs to few candidates of all epochs.

    The last bracket of a cycle trains all its candidates by the recipe, as a safeguard against
    misleading short trainings. Every training counts as a trial.

    Args:
        choices: The space to search.
        rng: The source of all randomness.
        strategy: Makes the inner strategy, which proposes the candidates of the lowest rung of each
            bracket. It must not propose epochs.
        epochs: The number of epochs of the recipe.
        eta: The ratio between consecutive rungs, at least 2; 3 and 4 are usual.
        least: The fewest epochs of a rung, 0 to `epochs`; 0 for networks that come trained.

    Raises:
        ValueError: if `eta` is below 2, or `least` is not within 0 to `epochs`.
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
        most = max_halvings(epochs, eta, least)
        # The paper's sizes, by which all brackets take about the same number of epochs.
        sizes = [-(-(most + 1) * eta**halvings // (halvings + 1)) for halvings in range(most + 1)]
        ladders = [
            rungs(sizes[halvings], epochs, eta, halvings) for halvings in reversed(range(most + 1))
        ]
        super().__init__(strategy(choices, rng), ladders)


Fidelity = Literal["full", "halving", "hyperband"]


def at_fidelity(
    fidelity: Fidelity, strategy: StrategyFactory, epochs: int, **settings: int
) -> StrategyFactory:
    """The strategy as it is, or inside successive halving or Hyperband, for a recipe of `epochs`;
    `settings` are their `eta` and `least`.
    """
    if fidelity == "full":
        return strategy
    kind: Callable[..., Strategy] = Hyperband if fidelity == "hyperband" else SuccessiveHalving
    return partial(kind, strategy=strategy, epochs=epochs, **settings)
