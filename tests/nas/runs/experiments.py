"""Strategies for short runs, and what runs are compared by."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from nas.experiment import Experiment
from nas.objective import Evaluation
from nas.space import Choices
from nas.strategy import Strategy
from strategies.evolutionary.aging import AgingEvolution
from strategies.evolutionary.nsga2 import Nsga2
from strategies.random_search import RandomSearch
from strategies.reinforcement.reinforce import Reinforce

Make = Callable[..., Experiment]


STRATEGIES: dict[str, Callable[[Choices, np.random.Generator], Strategy]] = {
    "random": RandomSearch,
    "evolution": partial(AgingEvolution, population=4, sample=2),
    "nsga2": partial(Nsga2, population=4),
    "reinforce": partial(Reinforce, batch=4),
}


def facts(evaluations: Sequence[Evaluation]) -> list[Any]:
    """All but the times."""
    return [(e.id, e.genotype, e.status, e.reason, e.metrics, e.history) for e in evaluations]
