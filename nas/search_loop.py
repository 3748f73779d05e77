"""The search loop, which connects a strategy, an evaluator and an objective."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from nas.objective import Evaluation, Objective
from nas.space import Genotype
from nas.strategy import Facts, Informed, Proposal, Strategy

Pending = Callable[[], Evaluation]
"""Waits for an evaluation that was started, and returns it."""


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

    `submit` starts the evaluation of a candidate under an id and returns a function that waits for
    its result. `objective` gives the fitness from which `strategy` learns. The search ends after
    `trials` trials, or `patience` proposals in a row that used none: a candidate over budget uses
    no trial if it was not trained, and neither does one proposed again, whose known fitness is returned. Up to `window`
    proposals are outstanding: proposal i is made knowing the results of proposals 0 to i - window,
    in whatever order they finish. `facts` gives the costs of a candidate to an `Informed` strategy.

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
        # The window is filled even near the end, so that a longer search begins with the proposals
        # of a shorter one.
        while len(asked) < window:
            asked.append(strategy.ask())
        # Only what neither limit can cut off: every evaluation that is started is waited for.
        for proposal in islice(asked, min(trials - used, patience - idle)):
            if proposal not in started:
                started[proposal] = submit(len(started), proposal)
        proposal = asked.popleft()
        fresh = proposal not in known
        evaluation = known[proposal] = started[proposal]() if fresh else known[proposal]
        strategy.tell(proposal, objective.fitness(evaluation))
        counts = fresh and evaluation.is_trial
        used, idle = (used + 1, 0) if counts else (used, idle + 1)
        if fresh:
            yield evaluation
