"""A search whose candidates are looked up in a table instead of being trained."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from multiprocessing import get_context

from threadpoolctl import threadpool_limits

from nas.objective import Budget, Evaluation, Objective, Status
from nas.search_loop import Pending, search
from nas.seeds import generator
from nas.space import Genotype
from nas.strategy import Facts, Proposal, StrategyFactory
from nas.tabular.benchmark import TabularBenchmark, cost_column, is_fact

PATIENCE = 1000
CHUNKS_PER_WORKER = 4
# Columns that only training tells.
_LEARNT = ("val_acc", "test_acc", "train_seconds")


@dataclass(frozen=True)
class Found:
    """What one search found: the `report` column of its incumbent after every query, and what the
    queries cost in all.
    """

    incumbents: tuple[float, ...]
    cost: float


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """What is searched for in a table: the best `search_on`, in percent, within `budget`, for at
    most `most` in all.

    A query is a design looked up for the first time. It costs what the table says, or 1; `by_cost`
    tells whether `most` bounds the sum of the costs or the number of queries. A design over the
    budget is found out before it is queried, and one that the table lacks cannot be built: neither
    is a query. The strategy sees the fitness and the facts, and nothing else. A search ends early
    after `PATIENCE` proposals in a row without a query.

    Raises:
        ValueError: if a column is no percentage, a limit is on what only training tells, no design
            meets the limits, or `most` is not positive and finite.
    """

    table: TabularBenchmark
    search_on: str
    report: str
    most: float
    by_cost: bool
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        accuracy = self.table.columns[self.search_on]
        if not (accuracy.min() >= 0 and accuracy.max() <= 100):
            raise ValueError(
                f"{self.search_on!r} must lie within 0 … 100, but is {accuracy.min():g} to {accuracy.max():g}"
            )
        if not 0 < self.most < math.inf:
            raise ValueError(
                f"a search must be granted a positive number of seconds or queries, but got {self.most}"
            )
        for name in self.budget.limits:
            if name in (self.search_on, self.report) or name.startswith(_LEARNT):
                known = tuple(
                    name for name in self._facts if name not in self.budget.limits or is_fact(name)
                )
                raise ValueError(
                    f"a limit must be on what is known before training, such as {known}, but got {name!r}"
                )
        if all(known.excess > 0 for known in self._known.values()):
            smallest = {name: min(self._column(name)) for name in self.budget.limits}
            raise ValueError(
                f"a design must meet the limits {dict(self.budget.limits)}, but none does: the smallest are {smallest}"
            )

    @property
    def _facts(self) -> tuple[str, ...]:
        # What is limited is known before training by the user's word, whatever it is called.
        return tuple(
            name for name in self.table.columns if is_fact(name) or name in self.budget.limits
        )

    @cached_property
    def _known(self) -> dict[Genotype, Facts]:
        """Of every design of the table, what costs nothing to know."""
        costs = [
            dict(zip(self._facts, row, strict=True))
            for row in zip(*(self._column(name) for name in self._facts), strict=True)
        ]
        costs = costs or [{} for _ in self.table.rows]
        return {
            genotype: Facts(costs[row], self.budget.excess(costs[row]))
            for genotype, row in self.table.rows.items()
        }

    def _column(self, name: str) -> list[float]:
        values: list[float] = self.table.columns[name].tolist()
        return values

    @cached_property
    def _answers(self) -> tuple[list[float], list[float], list[float]]:
        """Fitness, report and cost of each row."""
        cost = cost_column(self.search_on)
        costs = self._column(cost) if cost in self.table.columns else [1.0] * len(self.table.rows)
        return (
            [value / 100 for value in self._column(self.search_on)],
            self._column(self.report),
            costs,
        )

    def facts(self, genotype: Genotype) -> Facts:
        """What is known of a design before it is queried."""
        return self._known.get(genotype, Facts({}, math.inf))

    def submit(self, id: int, proposal: Proposal) -> Pending:
        """Looks a design up.

        Raises:
            ValueError: if the strategy asks for a number of epochs: a column is of one fidelity.
        """
        if proposal.epochs is not None:
            raise ValueError(
                f"a strategy must leave the epochs to {self.search_on!r}, but asked for {proposal.epochs:g}"
            )
        evaluation = self._evaluation(id, proposal.genotype)
        return lambda: evaluation

    def _evaluation(self, id: int, genotype: Genotype) -> Evaluation:
        known = self._known.get(genotype)
        if known is None:
            return Evaluation(
                id=id,
                genotype=genotype,
                design={},
                status=Status.FAILED,
                reason="the table has no such row",
                metrics={},
                seconds=0.0,
            )
        if known.excess > 0:
            reason = self.budget.broken(known.costs)
            return Evaluation(
                id=id,
                genotype=genotype,
                design={},
                status=Status.OVER_BUDGET,
                reason=reason,
                metrics=known.costs,
                seconds=0.0,
            )
        fitness, _, costs = self._answers
        row = self.table.rows[genotype]
        return Evaluation(
            id=id,
            genotype=genotype,
            design={},
            status=Status.OK,
            reason="",
            metrics={"accuracy": fitness[row], **known.costs},
            seconds=costs[row],
        )

    def run(self, make: StrategyFactory, seed: int) -> Found:
        """One search."""
        objective = Objective(budget=self.budget)
        strategy = make(self.table.choices, generator(seed, "strategy"))
        evaluations = search(
            strategy, self.submit, objective, sys.maxsize, patience=PATIENCE, facts=self.facts
        )
        fitness, report, _ = self._answers
        cost, best, incumbents = 0.0, -1, list[float]()
        for evaluation in _queries(evaluations):
            if (cost + evaluation.seconds if self.by_cost else len(incumbents) + 1) > self.most:
                break
            cost += evaluation.seconds
            row = self.table.rows[evaluation.genotype]
            if best < 0 or fitness[row] > fitness[best]:
                best = row
            incumbents.append(report[best])
        return Found(tuple(incumbents), cost)


def _queries(evaluations: Iterator[Evaluation]) -> Iterator[Evaluation]:
    """Those that were looked up, until none was among `PATIENCE` different candidates in a row."""
    idle = 0
    for evaluation in evaluations:
        idle = 0 if evaluation.status is Status.OK else idle + 1
        if evaluation.status is Status.OK:
            yield evaluation
        elif idle >= PATIENCE:
            return


def _run_seeds(lookup: Lookup, make: StrategyFactory, seeds: Sequence[int]) -> list[Found]:
    # A search is one small step after another: a second thread would only wait for the first.
    with threadpool_limits(limits=1):
        return [lookup.run(make, seed) for seed in seeds]


def run_seeds(lookup: Lookup, make: StrategyFactory, seeds: int, workers: int) -> list[Found]:
    """Searches with seeds 0 … `seeds` - 1 in `workers` processes, whose number changes nothing."""
    chunks = [
        range(first, seeds, workers * CHUNKS_PER_WORKER)
        for first in range(min(seeds, workers * CHUNKS_PER_WORKER))
    ]
    work = partial(_run_seeds, lookup, make)
    if workers == 1:
        results = list(map(work, chunks))
    else:
        # Fresh processes: a fork would copy the locks of threads that it does not copy.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            results = list(pool.map(work, chunks))
    found = {
        seed: one
        for chunk, result in zip(chunks, results, strict=True)
        for seed, one in zip(chunk, result, strict=True)
    }
    return [found[seed] for seed in range(seeds)]
