"""Facts about a candidate, and the judgement of them, kept apart."""

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from nas.space import Genotype

Metrics = Mapping[str, float]
Fitness = tuple[float, ...]


class Status(StrEnum):
    """How the evaluation of a candidate ended."""

    OK = "OK"
    OVER_BUDGET = "OVER_BUDGET"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data: its mean loss, and the validation accuracy (0 to 1) after it."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """Everything measured about one candidate; no fitness, so that another objective can judge it again.

    `id` counts the candidates of a run from 0; `epochs` is the fidelity that the strategy asked for (None: the recipe's
    own); `reason` says why the status is not OK; `seconds` is how long it took.

    Raises:
        ValueError: if a metric is not a finite number.
    """

    id: int
    genotype: Genotype
    design: Mapping[str, Hashable]
    status: Status
    reason: str
    metrics: Metrics
    seconds: float
    epochs: float | None = None
    history: tuple[Epoch, ...] = ()

    def __post_init__(self) -> None:
        for name, value in self.metrics.items():
            # No comparison is true of NaN: it would meet every budget.
            if not math.isfinite(value):
                raise ValueError(f"the metric {name!r} of candidate {self.id} must be a finite number, but got {value}")


@dataclass(frozen=True)
class Budget:
    """The most that each named cost may be: `Budget({"size_bytes": 4096})`.

    Raises:
        ValueError: if a limit is not a positive finite number.
    """

    limits: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            if not (math.isfinite(limit) and limit > 0):
                raise ValueError(f"the budget of {name!r} must be a positive number, but got {limit}")

    def excess(self, metrics: Metrics) -> float:
        """How far the worst cost lies over its limit, relative to the limit; 0 within the budget.

        Raises:
            KeyError: if a limited cost was not measured.
        """
        return max((0.0, *(metrics[name] / limit - 1.0 for name, limit in self.limits.items())))

    def broken(self, metrics: Metrics) -> str:
        """The limits that `metrics` exceed, in words; empty within the budget."""
        over = [f"{name} {metrics[name]:g} > {limit:g}" for name, limit in self.limits.items() if metrics[name] > limit]
        return ", ".join(over)


@dataclass(frozen=True)
class Objective:
    """What is wanted: metrics to maximise (each within 0 to 1), costs to minimise (each 0 or more), and a budget.

    Raises:
        ValueError: if nothing is wanted, or one metric both ways.
    """

    maximize: tuple[str, ...] = ("accuracy",)
    minimize: tuple[str, ...] = ()
    budget: Budget = Budget()

    def __post_init__(self) -> None:
        wanted = self.maximize + self.minimize
        if not wanted or len(set(wanted)) < len(wanted):
            raise ValueError(f"an objective must name at least one metric and none twice, but got {wanted}")

    def fitness(self, evaluation: Evaluation) -> Fitness:
        """One finite number for each objective, all to be maximised; the first is the one that ranks candidates.

        Within the budget each lies in [0, 1], where a cost c counts as 1 - c / limit, or 1 / (1 + c) without a limit;
        over the budget each is minus the relative excess, at least -1; of a failed candidate each is -1.

        Raises:
            ValueError: if a metric to maximise lies outside [0, 1] or a cost below 0.
            KeyError: if a metric was not measured, as the accuracy of what another budget kept from training.
        """
        count = len(self.maximize) + len(self.minimize)
        if evaluation.status is Status.FAILED:
            return (-1.0,) * count
        excess = self.budget.excess(evaluation.metrics)
        if excess > 0:
            return (-min(1.0, excess),) * count
        gains = [evaluation.metrics[name] for name in self.maximize]
        savings = [self._saving(name, evaluation.metrics[name]) for name in self.minimize]
        fitness = (*gains, *savings)
        for name, value in zip(self.maximize + self.minimize, fitness, strict=True):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"the fitness of {name!r} must lie in [0, 1], but got {value} from {evaluation.metrics[name]}")
        return fitness

    def _saving(self, name: str, cost: float) -> float:
        limit = self.budget.limits.get(name)
        return 1.0 / (1.0 + cost) if limit is None else 1.0 - cost / limit


def best(evaluations: Iterable[Evaluation], objective: Objective) -> Evaluation | None:
    """The trained candidate of highest fitness within the budget, the earliest of equals; None if there is none."""
    within = [e for e in evaluations if e.status is Status.OK and objective.budget.excess(e.metrics) == 0]
    return max(within, key=objective.fitness, default=None)


def pareto_front(evaluations: Iterable[Evaluation], objective: Objective) -> list[Evaluation]:
    """The candidates within the budget that no other one beats in every objective, best first; of equals the earliest."""
    within = [e for e in evaluations if e.status is Status.OK and objective.budget.excess(e.metrics) == 0]
    front: list[Evaluation] = []
    # In falling order only earlier ones can dominate later ones.
    for candidate in sorted(within, key=lambda e: (objective.fitness(e), -e.id), reverse=True):
        fitness = objective.fitness(candidate)
        if not any(all(a >= b for a, b in zip(objective.fitness(kept), fitness, strict=True)) for kept in front):
            front.append(candidate)
    return front


def nearest(evaluations: Iterable[Evaluation], objective: Objective) -> Evaluation | None:
    """The candidate whose costs exceed the budget least: what to say when nothing meets it."""
    measured = [e for e in evaluations if e.status is not Status.FAILED]
    return min(measured, key=lambda e: objective.budget.excess(e.metrics), default=None)
