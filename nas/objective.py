"""Facts about a candidate, and the judgement of them, kept apart."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

import moocore
import numpy as np

from nas.soft_target import SoftTarget
from nas.space import Genotype

Metrics = Mapping[str, float]
Fitness = tuple[float, ...]


class Status(StrEnum):
    """How the evaluation of a candidate ended."""

    OK = "OK"
    OVER_BUDGET = "OVER_BUDGET"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data: its mean loss, and the validation accuracy (0 to 1) after
    it.
    """

    loss: float
    accuracy: float


Curve = Sequence[Epoch]
"""What a candidate reached in training, epoch by epoch."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything measured about one candidate; no fitness, so that another objective can judge it
    again.

    `id` counts the candidates of a run from 0; `epochs` is the fidelity that the strategy asked for
    (None: the recipe's own); `reason` says why the status is not OK; `seconds` is how long it took.
    A STOPPED candidate, whose training was given up, has its costs and its history, but no
    accuracy, for no file was made of it.

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
                raise ValueError(
                    f"the metric {name!r} of candidate {self.id} must be a finite number, but got {value}"
                )


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
                raise ValueError(
                    f"the budget of {name!r} must be a positive number, but got {limit}"
                )

    def excess(self, metrics: Metrics) -> float:
        """How far the worst cost lies over its limit, relative to the limit; 0 within the budget.

        Raises:
            KeyError: if a limited cost was not measured.
        """
        return max((0.0, *(metrics[name] / limit - 1.0 for name, limit in self.limits.items())))

    def broken(self, metrics: Metrics) -> str:
        """The limits that `metrics` exceed, in words; empty within the budget."""
        over = [
            f"{name} {metrics[name]:g} > {limit:g}"
            for name, limit in self.limits.items()
            if metrics[name] > limit
        ]
        return ", ".join(over)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What is wanted: metrics to maximize (each within 0 to 1), costs to minimize (each 0 or more),
    and a budget.

    With a `soft_target` the first metric to maximize is weighed by a cost.

    Raises:
        ValueError: if nothing is wanted, one metric both ways, or there is nothing for a soft
            target to weigh.
    """

    maximize: tuple[str, ...] = ("accuracy",)
    minimize: tuple[str, ...] = ()
    budget: Budget = Budget()
    soft_target: SoftTarget | None = None

    def __post_init__(self) -> None:
        wanted = self.maximize + self.minimize
        if not wanted or len(set(wanted)) < len(wanted):
            raise ValueError(
                f"an objective must name at least one metric and none twice, but got {wanted}"
            )
        if self.soft_target is not None and not self.maximize:
            raise ValueError(
                f"a soft target must have a metric to maximize that it weighs, but the objective is {wanted}"
            )

    def to_json(self) -> dict[str, Any]:
        """The objective as the header of a run has it."""
        soft = None if self.soft_target is None else asdict(self.soft_target)
        limits = {"limits": dict(self.budget.limits)}
        return {
            "maximize": list(self.maximize),
            "minimize": list(self.minimize),
            "budget": limits,
            "soft": soft,
        }

    @classmethod
    def from_json(cls, recorded: Mapping[str, Any]) -> Self:
        """The objective that `to_json` described.

        Raises:
            KeyError, TypeError, ValueError: if it is no such description.
        """
        soft = recorded.get("soft")  # the first journals had none
        return cls(
            maximize=tuple(recorded["maximize"]),
            minimize=tuple(recorded["minimize"]),
            budget=Budget(dict(recorded["budget"]["limits"])),
            soft_target=None if soft is None else SoftTarget(**soft),
        )

    def fitness(self, evaluation: Evaluation) -> Fitness:
        """One finite number for each objective, all to be maximized; the first is the one that
        ranks candidates.

        Within the budget each lies in [0, 1], where a cost c counts as 1 - c / limit, or 1 / (1 +
        c) without a limit; over the budget each is minus the relative excess, at least -1; of a
        failed candidate each is -1. The accuracy of a stopped candidate is taken to be the last of
        its history: too low, as it would have learnt on, but on the scale of the others, where -1
        would call it useless.

        Raises:
            ValueError: if a metric to maximize lies outside [0, 1] or a cost below 0.
            KeyError: if a metric was not measured, as the accuracy of what another budget kept from
                training.
        """
        count = len(self.maximize) + len(self.minimize)
        if evaluation.status is Status.FAILED:
            return (-1.0,) * count
        excess = self.budget.excess(evaluation.metrics)
        if excess > 0:
            return (-min(1.0, excess),) * count
        metrics = evaluation.metrics
        if evaluation.status is Status.STOPPED:
            metrics = {**metrics, "accuracy": evaluation.history[-1].accuracy}
        gains = [metrics[name] for name in self.maximize]
        savings = [self._saving(name, metrics[name]) for name in self.minimize]
        fitness = (*gains, *savings)
        for name, value in zip(self.maximize + self.minimize, fitness, strict=True):
            if not 0.0 <= value <= 1.0:
                raise ValueError(
                    f"the fitness of {name!r} must lie in [0, 1], but got {value} from {metrics[name]}"
                )
        if self.soft_target is None:
            return fitness
        return (self.soft_target.reward(fitness[0], metrics), *fitness[1:])

    def _saving(self, name: str, cost: float) -> float:
        limit = self.budget.limits.get(name)
        return 1.0 / (1.0 + cost) if limit is None else 1.0 - cost / limit


def _ranked(evaluations: Iterable[Evaluation], objective: Objective) -> list[Evaluation]:
    """The trained candidates within the budget, of the highest fidelity that any of them has.

    What a few epochs reach is a step of a search towards its result, and no match for what the
    recipe's own reach.
    """
    within = [
        e for e in evaluations if e.status is Status.OK and objective.budget.excess(e.metrics) == 0
    ]
    highest = max(map(_fidelity, within), default=math.inf)
    return [e for e in within if _fidelity(e) == highest]


def _fidelity(evaluation: Evaluation) -> float:
    return math.inf if evaluation.epochs is None else evaluation.epochs


def best(evaluations: Iterable[Evaluation], objective: Objective) -> Evaluation | None:
    """The trained candidate of highest fitness within the budget, the earliest of equals; None if
    there is none.

    Where candidates were trained for different numbers of epochs, only those of the most count:
    None, then the highest.
    """
    return max(_ranked(evaluations, objective), key=objective.fitness, default=None)


def pareto_front(evaluations: Iterable[Evaluation], objective: Objective) -> list[Evaluation]:
    """Those that `best` chooses from and no other one beats in every objective, best first; of
    equals the earliest.
    """
    ranked = _ranked(evaluations, objective)
    front: list[Evaluation] = []
    # In falling order only earlier ones can dominate later ones.
    for candidate in sorted(ranked, key=lambda e: (objective.fitness(e), -e.id), reverse=True):
        fitness = objective.fitness(candidate)
        if not any(
            all(a >= b for a, b in zip(objective.fitness(kept), fitness, strict=True))
            for kept in front
        ):
            front.append(candidate)
    return front


def hypervolume(evaluations: Iterable[Evaluation], objective: Objective) -> float:
    """The share, 0 to 1, of all possible fitnesses that those `best` chooses from dominate (Zitzler
    & Thiele 1998), exact.

    The reference point is a fitness of 0 in every objective, the edge of the budget.
    """
    points = [objective.fitness(evaluation) for evaluation in _ranked(evaluations, objective)]
    count = len(objective.maximize) + len(objective.minimize)
    return (
        float(moocore.hypervolume(np.array(points), ref=[0.0] * count, maximise=True))
        if points
        else 0.0
    )


def nearest(evaluations: Iterable[Evaluation], objective: Objective) -> Evaluation | None:
    """The candidate whose costs exceed the budget least: what to say when nothing meets it."""
    measured = [e for e in evaluations if e.status is not Status.FAILED]
    return min(measured, key=lambda e: objective.budget.excess(e.metrics), default=None)
