"""The protocol of search strategies: proposals, results, and facts known before training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from nas.objective import Fitness, Metrics
from nas.space import Choices, Genotype


@dataclass(frozen=True)
class Proposal:
    """A genotype to evaluate, and its fidelity: the epochs to train it for (None: those of the
    recipe; 0: none, where networks come trained).
    """

    genotype: Genotype
    epochs: float | None = None


class Strategy(Protocol):
    """A search method: the loop asks it for candidates and tells it their fitness.

    Several proposals may be outstanding. Each is told exactly once, in the order of asking.
    """

    def ask(self) -> Proposal:
        """The next candidate; repeating an earlier one is allowed and costs no evaluation."""
        ...

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """Receives the fitness of a candidate: finite, to be maximized, negative if the candidate was
        over budget or failed.
        """
        ...


StrategyFactory = Callable[[Choices, np.random.Generator], Strategy]
"""Makes a new strategy for a space, whose randomness comes only from the generator."""


@runtime_checkable
class Reporting(Protocol):
    """A strategy with statistics of its own, such as the entropy of a controller, which a run plots
    in TensorBoard.
    """

    def report(self) -> Mapping[str, float]:
        """The statistics by name, as of the last `tell`."""
        ...


@dataclass(frozen=True)
class Facts:
    """What is known of a candidate before it is trained.

    `costs` are by name, and empty if the candidate could not be built. `excess` is by how much the
    worst cost exceeds its limit, relative to the limit: 0 within the budget, infinite without
    costs.
    """

    costs: Metrics
    excess: float


@runtime_checkable
class Informed(Protocol):
    """A strategy that uses the costs of candidates to choose its proposals."""

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """Called once, before the first `ask`.

        `facts` takes milliseconds for a candidate. It is the same each time for the same results
        told: a size of a file may be predicted from those before.
        """
        ...
