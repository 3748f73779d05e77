"""What a strategy is to a search: proposals, the protocol, and what it may be told before training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from nas.objective import Fitness, Metrics
from nas.space import Choices, Genotype


@dataclass(frozen=True)
class Proposal:
    """A genotype to evaluate, and for how many epochs (None: as many as the recipe says)."""

    genotype: Genotype
    epochs: float | None = None


class Strategy(Protocol):
    """Explores a space by asking for candidates and being told their fitness; it knows no network,
    file or clock.

    Several proposals may be outstanding; each is told once, in the order in which they were asked
    for.
    """

    def ask(self) -> Proposal:
        """The next candidate; it may repeat an earlier one, which costs no evaluation."""
        ...

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """The fitness of a candidate: finite, to be maximized, below 0 when over budget or failed."""
        ...


StrategyFactory = Callable[[Choices, np.random.Generator], Strategy]
"""Makes a fresh strategy for a space, with all its randomness from the generator."""


@runtime_checkable
class Reporting(Protocol):
    """A strategy with numbers of its own to plot, such as the entropy of a controller."""

    def report(self) -> Mapping[str, float]:
        """Named numbers as of the last `tell`."""
        ...


@dataclass(frozen=True)
class Facts:
    """What is known of a candidate before it is trained.

    `costs` is empty where it could not be built; `excess` is how far the worst cost lies over its
    limit, relative to the limit: 0 within the budget, infinite where there are no costs.
    """

    costs: Metrics
    excess: float


@runtime_checkable
class Informed(Protocol):
    """A strategy that looks at what candidates cost before it proposes one."""

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """Called once, before the first `ask`; `facts` is a pure function that takes milliseconds a
        candidate.
        """
        ...
