"""Objectives, which judge evaluations."""

import math
import operator
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import moocore
import numpy as np

from nas.evaluation_record import Curve, Epoch, Evaluation, Metrics, Status, accuracies
from nas.quality import KINDS, QUALITIES, TaskKind
from nas.soft_target import SoftTarget

__all__ = [
    "Budget",
    "Curve",
    "Epoch",
    "Evaluation",
    "Fitness",
    "Metrics",
    "Objective",
    "Status",
    "accuracies",
    "best",
    "best_few",
    "hypervolume",
    "hypervolume_of",
    "nearest_to_budget",
    "pareto_front",
]

Fitness = tuple[float, ...]


@dataclass(frozen=True)
class Budget:
    """Upper limits of costs, by name: `Budget({"size_bytes": 4096})`.

    Raises:
        ValueError: if a limit is not a positive finite number.
    """

    limits: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            if not 0 < limit <= sys.float_info.max:  # an int may be above
                raise ValueError(
                    f"the budget of {name!r} must be a positive number, but got {limit}"
                )

    def excess(self, metrics: Metrics) -> float:
        """By how much the worst cost exceeds its limit, relative to the limit; 0 within the budget.

        Raises:
            KeyError: if a limited cost was not measured.
        """
        worst = 0.0
        for name, limit in self.limits.items():
            worst = max(worst, metrics[name] / limit - 1.0)
        return worst

    def broken(self, metrics: Metrics) -> str:
        """The limits that `metrics` exceed, as text; empty within the budget."""
        over = [
            f"{name} {metrics[name]:g} > {limit:g}"
            for name, limit in self.limits.items()
            if metrics[name] > limit
        ]
        return ", ".join(over)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a search optimizes.

    `maximize` names metrics of at most 1, `minimize` names costs, or errors, of 0 or more. Which of
    `nas.quality.QUALITIES` are measured depends on the kind of the task. A candidate within `budget`
    beats every one that exceeds it. `soft_target` weighs the first metric of `maximize` by
    a cost.

    Raises:
        ValueError: if no metric is named or one is named twice, or a soft target has no metric to
            weigh.
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
                f"a soft target must have a metric to maximize, which it weighs, but the objective is {wanted}"
            )

    def quality(self, kind: TaskKind = "classification") -> str:
        """The metric of quality that counts first here, by which networks for tasks of this kind are
        compared; that of the kind if none is named.
        """
        known = KINDS[kind].qualities
        named = (name for name in (*self.maximize, *self.minimize) if name in known)
        return next(named, KINDS[kind].score)

    def to_json(self) -> dict[str, Any]:
        """The objective as in the header of a run."""
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
        """The inverse of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: if `recorded` is not the JSON of an objective.
        """
        if not isinstance(recorded, Mapping):
            raise TypeError(f"an objective must be a mapping, but got {recorded!r}")
        soft = recorded.get("soft")  # missing in early journals
        return cls(
            maximize=tuple(recorded["maximize"]),
            minimize=tuple(recorded["minimize"]),
            budget=Budget(dict(recorded["budget"]["limits"])),
            soft_target=None if soft is None else SoftTarget(**soft),
        )

    def fitness(self, evaluation: Evaluation) -> Fitness:
        """One finite number for each objective, all to be maximized; the first ranks candidates.

        Within the budget each is in [0, 1]: a metric to maximize as it is, but R² below 0 as 0; a cost
        c as 1 - c / limit, or 1 / (1 + c) without a limit. Over budget each is minus the relative
        excess, at least -1. For a failed candidate each is -1. A stopped candidate counts with the
        last accuracy or R² of its history, 0 if that has none: lower than it would have become, but
        comparable with the others. Metrics of quality that a history does not have are 0 for it.

        Raises:
            ValueError: if a metric to maximize is outside [0, 1] or a cost is below 0.
            KeyError: if a metric was not measured, such as the accuracy of a candidate that the
                budget of its run kept from training.
        """
        count = len(self.maximize) + len(self.minimize)
        if evaluation.status is Status.FAILED:
            return (-1.0,) * count
        excess = self.budget.excess(evaluation.metrics)
        if excess > 0:
            return (-min(1.0, excess),) * count
        metrics = evaluation.metrics
        if evaluation.status is Status.STOPPED:
            reached = accuracies(evaluation.history)
            metrics = self._as_stopped(metrics, reached[-1] if reached else 0.0)
        gains = [max(0.0, metrics[n]) if n == "r2" else metrics[n] for n in self.maximize]
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

    def _as_stopped(self, metrics: Metrics, reached: float) -> Metrics:
        """The metrics of a candidate that was not measured, and reached so much."""
        worst = {name: 0.0 if each.largest else math.inf for name, each in QUALITIES.items()}
        along = {kind.score: reached for kind in KINDS.values()}
        return {**worst, **metrics, **along}

    def _saving(self, name: str, cost: float) -> float:
        limit = self.budget.limits.get(name)
        return 1.0 / (1.0 + cost) if limit is None else 1.0 - cost / limit


def _ranked(evaluations: Iterable[Evaluation], objective: Objective) -> list[Evaluation]:
    """The trained candidates within the budget, of the highest fidelity among them.

    Candidates of low fidelity only guide the search: their accuracies cannot be compared with those
    of the full training.
    """
    within = [
        e for e in evaluations if e.status is Status.OK and objective.budget.excess(e.metrics) == 0
    ]
    highest = max((e.fidelity for e in within), default=math.inf)
    return [e for e in within if e.fidelity == highest]


def best(evaluations: Iterable[Evaluation], objective: Objective) -> Evaluation | None:
    """The trained candidate of highest fitness within the budget, the earliest of equals; None if
    there is none.

    If candidates were trained at different fidelities, only those of the highest count.
    """
    return next(iter(best_few(evaluations, objective, 1)), None)


def best_few(
    evaluations: Iterable[Evaluation], objective: Objective, count: int
) -> list[Evaluation]:
    """The `count` candidates of highest fitness among those from which `best` chooses, best first,
    the earliest of equals first; fewer if there are fewer.
    """
    return sorted(_ranked(evaluations, objective), key=objective.fitness, reverse=True)[:count]


def pareto_front(evaluations: Iterable[Evaluation], objective: Objective) -> list[Evaluation]:
    """The candidates that no other one dominates, best first; of equals the earliest.

    It is taken among the candidates from which `best` chooses.
    """
    judged = [(objective.fitness(each), each) for each in _ranked(evaluations, objective)]
    front: list[tuple[Fitness, Evaluation]] = []
    # Sorted by falling fitness, a candidate can only be dominated by earlier ones.
    for fitness, candidate in sorted(judged, key=lambda each: (each[0], -each[1].id), reverse=True):
        if not any(all(map(operator.ge, kept, fitness)) for kept, _ in front):
            front.append((fitness, candidate))
    return [candidate for _, candidate in front]


def hypervolume(evaluations: Iterable[Evaluation], objective: Objective) -> float:
    """The exact hypervolume of the candidates from which `best` chooses (Zitzler & Thiele, 1998), in
    [0, 1].

    The reference point is a fitness of 0 in every objective, the edge of the budget.
    """
    return hypervolume_of([objective.fitness(each) for each in _ranked(evaluations, objective)])


def hypervolume_of(points: Sequence[Fitness]) -> float:
    """The exact hypervolume of points of fitness, those that others dominate among them or not; 0
    without any.
    """
    if not points:
        return 0.0
    reference = [0.0] * len(points[0])
    return float(moocore.hypervolume(np.array(points), ref=reference, maximise=True))


def nearest_to_budget(evaluations: Iterable[Evaluation], objective: Objective) -> Evaluation | None:
    """The candidate that exceeds the budget least, to report if none meets it; None if none was
    measured.
    """
    measured = [e for e in evaluations if e.status is not Status.FAILED]
    return min(measured, key=lambda e: objective.budget.excess(e.metrics), default=None)
