"""Fronts of accuracy and a cost on tables: `python -m benchmarks.fronts DATA`.

DATA is as for landscapes.py. Told are, after so many queries, the hypervolume as a share of that of
all designs, and the distance of the best front to the one found (IGD, Coello and Sierra 2004), both
in units of the range between the reference point (the median accuracy, the largest cost) and the
best values.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.landscapes import LANDSCAPES, parsed, problem
from nas.objective import Budget, Objective, Status
from nas.search_loop import search
from nas.seeds import generator

POINTS = (50, 100)
CASES = (
    ("cifar10", "latency_ms_raspi4"),
    ("cifar10", "params"),
    ("widths", "macs"),
    ("widths", "params"),
    ("cifar100", "latency_ms_raspi4"),
    ("cifar100", "params"),
)
Points = NDArray[np.float64]


def front(points: Points) -> Points:
    """The non-dominated of points [n, 2], both maximized, by descending second value."""
    ordered = points[np.lexsort((-points[:, 0], -points[:, 1]))]
    best = np.maximum.accumulate(np.concatenate(([-np.inf], ordered[:-1, 0])))
    return ordered[ordered[:, 0] > best]


def hypervolume(points: Points) -> float:
    """The area within [0, 1]² that points dominate."""
    inside = front(points[(points > 0).all(1)])
    if not len(inside):
        return 0.0
    steps = np.diff(np.concatenate(([0.0], inside[:, 0])))
    return float((steps * inside[:, 1]).sum())


def distance(best: Points, found: Points) -> float:
    """The mean distance of each point of the best front to the nearest point found."""
    between = np.linalg.norm(best[:, None] - found, axis=-1)
    return float(between.min(1).mean())


def measured(data: Path, table: str, cost: str, strategy: str, seed: int) -> list[float]:
    """The share of the hypervolume and the distance after each of `POINTS` queries."""
    free = problem(data, table, "free")
    columns, landscape = free.benchmark.columns, LANDSCAPES[table]
    largest = float(columns[cost].max())
    accuracy = columns[landscape.search_on]
    low, high = float(np.median(accuracy)), float(accuracy.max())
    scaled = np.column_stack(((accuracy - low) / (high - low), 1 - columns[cost] / largest))
    scaled[:, 1] /= scaled[:, 1].max()
    # Costs that a limit scales: the fitness is linear in them.
    objective = Objective(minimize=(cost,), budget=Budget({cost: largest}))
    made = parsed(strategy)(free.benchmark.choices, generator(seed, "strategy"))
    rows = []
    for one in search(made, free.submit, objective, max(POINTS), facts=free.facts):
        if one.status is Status.OK:
            rows.append(free.benchmark.rows[one.genotype])
    best = front(scaled)
    best = best[best[:, 0] > 0]
    whole = hypervolume(scaled)
    return [
        value
        for point in POINTS
        for found in (scaled[rows[:point]],)
        for value in (hypervolume(found) / whole, distance(best, found))
    ]


def main() -> None:
    """Prints mean and standard error over the seeds for each case and strategy."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fronts", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--cases", type=int, nargs="+", default=list(range(len(CASES))))
    parser.add_argument(
        "--strategies", nargs="+", default=["random", "nsga2", "parego"], metavar="NAME"
    )
    given = parser.parse_args()
    head = (f"{what}, {point}" for point in POINTS for what in ("hypervolume", "IGD"))
    print(f"| table, cost | strategy | {' | '.join(head)} |\n|{'---|' * (2 + 2 * len(POINTS))}")
    with threadpool_limits(limits=1):
        for table, cost in (CASES[index] for index in given.cases):
            for strategy in given.strategies:
                values = np.array(
                    [
                        measured(given.data, table, cost, strategy, seed)
                        for seed in range(given.seeds)
                    ]
                )
                means, errors = values.mean(0), values.std(0, ddof=1) / np.sqrt(given.seeds)
                cells = " | ".join(
                    f"{mean:.4f} ± {error:.4f}" for mean, error in zip(means, errors, strict=True)
                )
                print(f"| {table}, {cost} | {strategy} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
