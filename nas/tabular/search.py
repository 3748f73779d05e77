"""Searches on a tabular benchmark."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from multiprocessing import get_context
from typing import Literal

from threadpoolctl import threadpool_limits

from nas.objective import Budget, Evaluation, Objective, Status
from nas.search_loop import Pending, search
from nas.seeds import generator
from nas.space import Genotype
from nas.strategy import Facts, Proposal, StrategyFactory
from nas.tabular.benchmark import TabularBenchmark, cost_column, fidelities, is_fact
from nas.tabular.query_budget import QueryBudget

PATIENCE = 1000
CHUNKS_PER_WORKER = 4
# Prefixes of columns that are known after training only.
_RESULTS = ("val_acc", "test_acc", "train_seconds")


@dataclass(frozen=True)
class Trajectory:
    """The incumbents of one search.

    Args:
        incumbents: The `report` column of the incumbent after each query.
        cost: The total cost of the queries.
        ended: What ended the search: the "limit" on queries or their cost, that all "designs" within
            the budget were queried, or the "patience" with proposals that were no queries.
    """

    incumbents: tuple[float, ...]
    cost: float
    ended: Literal["limit", "designs", "patience"] = "limit"


@dataclass(frozen=True, kw_only=True)
class TabularSearch:
    """A search for the design with the highest `search_on` within the budget.

    A query is the first lookup of a design. Designs over the budget are rejected by their facts,
    and designs missing from the table fail; neither is a query. The strategy gets the fitness and
    the facts only. A search ends early after `PATIENCE` proposals in a row without a query.

    A proposal of fewer epochs, of successive halving, is a query of the column of so many:
    "val_acc_12ep" where "val_acc_200ep" is searched on. The incumbent is the best of the most epochs.

    Args:
        benchmark: The table.
        search_on: The column that the strategy maximizes, in percent.
        report: The column of the incumbent that is reported.
        queries: The limit on the queries, or on their total cost. A query costs 1 if the benchmark
            has no `cost_column`.
        budget: Limits on facts, or on other columns that are known before training.

    Raises:
        ValueError: if `search_on` is not in percent, or looks like shares of at most 1, a limit is on a column that is known after
            training only, or no design meets the limits.
    """

    benchmark: TabularBenchmark
    search_on: str
    report: str
    queries: QueryBudget
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        accuracy = self.benchmark.columns[self.search_on]
        if not (accuracy.min() >= 0 and accuracy.max() <= 100):
            raise ValueError(
                f"{self.search_on!r} must lie within 0 … 100, but is {accuracy.min():g} to {accuracy.max():g}"
            )
        if accuracy.max() <= 1:
            raise ValueError(
                f"{self.search_on!r} must be in percent, but its largest value is {accuracy.max():g}: multiply it by 100"
            )
        for name in self.budget.limits:
            if name in (self.search_on, self.report) or name.startswith(_RESULTS):
                known = tuple(
                    name
                    for name in self._fact_names
                    if name not in self.budget.limits or is_fact(name)
                )
                raise ValueError(
                    f"a limit must be on a column known before training, such as {known}, but got {name!r}"
                )
        if all(facts.excess > 0 for facts in self._facts.values()):
            smallest = {name: min(self._column(name)) for name in self.budget.limits}
            raise ValueError(
                f"a design must meet the limits {dict(self.budget.limits)}, but none does: the smallest values are {smallest}"
            )

    @property
    def _fact_names(self) -> tuple[str, ...]:
        # By limiting a column of any name, the user says that it is known before training.
        return tuple(
            name for name in self.benchmark.columns if is_fact(name) or name in self.budget.limits
        )

    @cached_property
    def _facts(self) -> dict[Genotype, Facts]:
        """The facts of every design of the table."""
        costs = [
            dict(zip(self._fact_names, row, strict=True))
            for row in zip(*(self._column(name) for name in self._fact_names), strict=True)
        ]
        costs = costs or [{} for _ in self.benchmark.rows]
        return {
            genotype: Facts(costs[row], self.budget.excess(costs[row]))
            for genotype, row in self.benchmark.rows.items()
        }

    def _column(self, name: str) -> list[float]:
        values: list[float] = self.benchmark.columns[name].tolist()
        return values

    @cached_property
    def _results(self) -> dict[float | None, tuple[list[float], list[float]]]:
        """For each number of epochs (None: those of `search_on`), the fitness and the cost of each
        row.
        """
        names: dict[float | None, str] = {None: self.search_on}
        names.update(fidelities(self.search_on, self.benchmark.columns))
        results: dict[float | None, tuple[list[float], list[float]]] = {}
        for epochs, name in names.items():
            cost, rows = cost_column(name), len(self.benchmark.rows)
            costs = self._column(cost) if cost in self.benchmark.columns else [1.0] * rows
            results[epochs] = [value / 100 for value in self._column(name)], costs
        return results

    def facts(self, genotype: Genotype) -> Facts:
        """The facts of a design; a missing one has no costs and an infinite excess."""
        return self._facts.get(genotype, Facts({}, math.inf))

    def submit(self, id: int, proposal: Proposal) -> Pending:
        """Looks up a design.

        Raises:
            ValueError: if the table has no column of the proposal's epochs.
        """
        if proposal.epochs not in self._results:
            known = tuple(epochs for epochs in self._results if epochs is not None)
            others = f", or those of another column, {known}" if known else ""
            raise ValueError(
                f"a strategy must propose no epochs, which {self.search_on!r} determines{others}, "
                f"but proposed {proposal.epochs:g}"
            )
        evaluation = self._evaluate(id, proposal.genotype, proposal.epochs)
        return lambda: evaluation

    def _evaluate(self, id: int, genotype: Genotype, epochs: float | None) -> Evaluation:
        facts = self._facts.get(genotype)
        if facts is None:
            return Evaluation(
                id=id,
                genotype=genotype,
                design={},
                status=Status.FAILED,
                reason="the table has no such row",
                metrics={},
                seconds=0.0,
            )
        if facts.excess > 0:
            reason = self.budget.broken(facts.costs)
            return Evaluation(
                id=id,
                genotype=genotype,
                design={},
                status=Status.OVER_BUDGET,
                reason=reason,
                metrics=facts.costs,
                seconds=0.0,
            )
        fitness, costs = self._results[epochs]
        row = self.benchmark.rows[genotype]
        metrics = {"accuracy": fitness[row], **facts.costs}
        return Evaluation(
            id=id,
            genotype=genotype,
            design={},
            status=Status.OK,
            reason="",
            metrics=metrics,
            seconds=costs[row],
            epochs=epochs,
        )

    def run(self, make: StrategyFactory, seed: int) -> Trajectory:
        """One search by a fresh strategy."""
        objective = Objective(budget=self.budget)
        strategy = make(self.benchmark.choices, generator(seed, "strategy"))
        evaluations = search(
            strategy, self.submit, objective, sys.maxsize, patience=PATIENCE, facts=self.facts
        )
        report = self._column(self.report)
        best, cost, incumbents = (0.0, -1.0), 0.0, list[float]()
        ended: Literal["limit", "designs", "patience"] = "patience"
        queried = set[Genotype]()
        for query in _queries(evaluations):
            if not self.queries.allows(len(incumbents) + 1, cost + query.seconds):
                ended = "limit"
                break
            cost += query.seconds
            found = (query.fidelity, query.metrics["accuracy"])
            row = self.benchmark.rows[query.genotype]
            incumbents.append(report[row] if found > best else incumbents[-1])
            best = max(best, found)
            if query.epochs is None:
                queried.add(query.genotype)
        if ended == "patience" and len(queried) == self._within:
            ended = "designs"
        return Trajectory(tuple(incumbents), cost, ended)

    @cached_property
    def _within(self) -> int:
        """How many designs are within the budget."""
        return sum(facts.excess == 0 for facts in self._facts.values())


def _queries(evaluations: Iterator[Evaluation]) -> Iterator[Evaluation]:
    """The queries among evaluations, until `PATIENCE` in a row are none."""
    idle = 0
    for evaluation in evaluations:
        idle = 0 if evaluation.status is Status.OK else idle + 1
        if evaluation.status is Status.OK:
            yield evaluation
        elif idle >= PATIENCE:
            return


def run_seeds(
    problem: TabularSearch, make: StrategyFactory, seeds: int, workers: int
) -> list[Trajectory]:
    """The searches of seeds 0 … `seeds` - 1, whatever the number of worker processes."""
    chunks = [
        range(first, seeds, workers * CHUNKS_PER_WORKER)
        for first in range(min(seeds, workers * CHUNKS_PER_WORKER))
    ]
    work = partial(_run_chunk, problem, make)
    if workers == 1:
        results = list(map(work, chunks))
    else:
        # Spawned, because a fork copies locks but not the threads that hold them.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            results = list(pool.map(work, chunks))
    by_seed = {
        seed: trajectory
        for chunk, result in zip(chunks, results, strict=True)
        for seed, trajectory in zip(chunk, result, strict=True)
    }
    return [by_seed[seed] for seed in range(seeds)]


def _run_chunk(
    problem: TabularSearch, make: StrategyFactory, seeds: Sequence[int]
) -> list[Trajectory]:
    # The operations of a search are small and sequential: more threads only add overhead.
    with threadpool_limits(limits=1):
        return [problem.run(make, seed) for seed in seeds]
