"""The search: the few lines that connect a strategy, an evaluator and an objective."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

from nas.objective import Evaluation, Fitness, Metrics, Objective, Status
from nas.space import Genotype


@dataclass(frozen=True)
class Proposal:
    """A genotype to evaluate, and for how many epochs (None: as many as the recipe says)."""

    genotype: Genotype
    epochs: float | None = None


class Strategy(Protocol):
    """Explores a space by asking for candidates and being told their fitness; it knows no network, file or clock.

    Several proposals may be outstanding; each is told once, in the order in which they were asked for.
    """

    def ask(self) -> Proposal:
        """The next candidate; it may repeat an earlier one, which costs no evaluation."""
        ...

    def tell(self, proposal: Proposal, fitness: Fitness) -> None:
        """The fitness of a candidate: finite, to be maximised, below 0 when over budget or failed."""
        ...


@runtime_checkable
class Reporting(Protocol):
    """A strategy with numbers of its own to plot, such as the entropy of a controller."""

    def report(self) -> Mapping[str, float]:
        """Named numbers as of the last `tell`."""
        ...


@dataclass(frozen=True)
class Facts:
    """What is known of a candidate before it is trained.

    `costs` is empty where it could not be built; `excess` is how far the worst cost lies over its limit, relative to the
    limit: 0 within the budget, infinite where there are no costs.
    """

    costs: Metrics
    excess: float


@runtime_checkable
class Informed(Protocol):
    """A strategy that looks at what candidates cost before it proposes one."""

    def inform(self, facts: Callable[[Genotype], Facts]) -> None:
        """Called once, before the first `ask`; `facts` is a pure function that takes milliseconds a candidate."""
        ...


Pending = Callable[[], Evaluation]


def search(
    strategy: Strategy,
    submit: Callable[[int, Proposal], Pending],
    objective: Objective,
    trials: int,
    window: int = 1,
    patience: int = 1000,
    facts: Callable[[Genotype], Facts] | None = None,
) -> Iterator[Evaluation]:
    """Yields each different candidate once, in the order in which they were proposed.

    `submit` starts the evaluation of a candidate under an id and returns a function that waits for it. Up to `window`
    proposals are outstanding: proposal i is made knowing the results of all before i - window + 1, in whatever order
    they finish. A candidate over budget uses up no trial, nor does one proposed again, which is told from memory. The
    search ends after `trials` trials, or `patience` proposals in a row that used none. An `Informed` strategy is handed
    `facts`.

    Raises:
        ValueError: if `trials`, `window` or `patience` is below 1.
    """
    for name, value in (("trials", trials), ("window", window), ("patience", patience)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, but got {value}")
    if facts is not None and isinstance(strategy, Informed):
        strategy.inform(facts)
    asked: deque[Proposal] = deque()
    started: dict[Proposal, Pending] = {}
    known: dict[Proposal, Evaluation] = {}
    used = idle = 0
    while used < trials and idle < patience:
        # The window is filled whatever `trials` is: a longer search begins with exactly the proposals of a shorter one.
        while len(asked) < window:
            asked.append(strategy.ask())
        # No more than neither limit can cut off: whatever is started is also waited for.
        for proposal in islice(asked, min(trials - used, patience - idle)):
            if proposal not in started:
                started[proposal] = submit(len(started), proposal)
        proposal = asked.popleft()
        fresh = proposal not in known
        evaluation = known[proposal] = started[proposal]() if fresh else known[proposal]
        strategy.tell(proposal, objective.fitness(evaluation))
        counts = fresh and evaluation.status is not Status.OVER_BUDGET
        used, idle = (used + 1, 0) if counts else (used, idle + 1)
        if fresh:
            yield evaluation
