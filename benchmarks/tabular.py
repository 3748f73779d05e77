"""Searches of a tabular benchmark by any strategy, thousands a minute."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Rows

from nas.objective import Budget
from nas.tabular.benchmark import read_benchmark
from nas.tabular.query_budget import MaxQueries, MaxSeconds
from nas.tabular.search import TabularSearch, Trajectory, run_seeds
from strategies.names import NAMES, configured

POINTS = (10, 20, 50, 100, 200, 500)
BAR = 40


def summary(trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    """Mean and standard deviation of the last incumbents of all searches that have one, and the
    mean incumbent after each of `POINTS` queries; None where a search made fewer.
    """
    last = [one.incumbents[-1] for one in trajectories if one.incumbents]
    curve = {
        str(point): float(np.mean([one.incumbents[point - 1] for one in trajectories]))
        if all(len(one.incumbents) >= point for one in trajectories)
        else None
        for point in POINTS
    }
    return {
        "seeds": len(trajectories),
        "found": len(last),
        "mean": float(np.mean(last)) if last else None,
        "std": float(np.std(last)) if last else None,
        "mean_queries": float(np.mean([len(one.incumbents) for one in trajectories])),
        "mean_cost": float(np.mean([one.cost for one in trajectories])),
        "curve": curve,
    }


def print_summary(result: dict[str, Any], console: Console) -> None:
    """Prints the settings, the summary, and the curve as a table with bars that span its range."""
    for name, value in result.items():
        if name != "curve" and value not in (None, {}):
            console.print(
                f"{name:<14} {value:.3f}" if isinstance(value, float) else f"{name:<14} {value}",
                highlight=False,
            )
    reached = {point: value for point, value in result["curve"].items() if value is not None}
    if result["mean"] is not None:
        reached["end"] = result["mean"]
    if not reached:
        return
    low, high = min(reached.values()), max(reached.values())
    rows = Rows("queries", result["report"], "")
    for point, value in reached.items():
        rows.add_row(
            point,
            f"{value:.3f}",
            "█" * (1 + round((BAR - 1) * (value - low) / ((high - low) or 1.0))),
        )
    console.print(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command; exits with status 2 if the arguments or the table are invalid."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        make = configured(given.strategy, dict(given.option))
        limits = dict(given.limit)
        benchmark = read_benchmark(given.table, (given.search_on, given.report, *limits))
        queries = MaxQueries(given.queries) if given.seconds is None else MaxSeconds(given.seconds)
        problem = TabularSearch(
            benchmark=benchmark,
            search_on=given.search_on,
            report=given.report,
            queries=queries,
            budget=Budget(limits),
        )
        # Before any search, so that settings out of range are errors of arguments.
        make(benchmark.choices, np.random.default_rng(0))
        for name, value in (("seeds", given.seeds), ("workers", given.workers)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, but got {value}")
    except ValueError as error:
        parser.error(str(error))
    trajectories = run_seeds(problem, make, given.seeds, given.workers)
    result = {
        "table": benchmark.name,
        "strategy": given.strategy,
        "options": make.keywords,
        "search_on": given.search_on,
        "report": given.report,
        "limits": limits,
        "seconds": given.seconds,
        "queries": given.queries,
        **summary(trajectories),
    }
    if given.json:
        print(json.dumps(result))
    else:
        print_summary(result, Console())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tabular", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "--table", type=Path, required=True, help="an .npz of designs and their measurements"
    )
    parser.add_argument("--strategy", choices=NAMES, required=True)
    parser.add_argument(
        "--seeds", type=int, default=500, help="number of searches, of seeds 0, 1, 2, …"
    )
    most = parser.add_mutually_exclusive_group(required=True)
    most.add_argument(
        "--seconds", type=float, help="limit on the total training time of the queries of a search"
    )
    most.add_argument("--queries", type=int, help="limit on the queries of a search")
    parser.add_argument(
        "--search-on", default="val_acc_12ep", help="the column that the strategy maximizes"
    )
    parser.add_argument(
        "--report", default="test_acc_200ep", help="the reported column of the incumbent"
    )
    parser.add_argument(
        "--limit",
        type=_limit,
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="limit on a fact, such as params=500000",
    )
    parser.add_argument(
        "--option",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the strategy, such as population=32",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        help="number of processes, which does not affect the result",
    )
    parser.add_argument(
        "--json", action="store_true", help="print a JSON object instead of a table"
    )
    return parser


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, but got {text!r}")
    return name, value


def _limit(text: str) -> tuple[str, float]:
    name, value = _pair(text)
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"the limit of {name!r} must be a number, but got {value!r}"
        ) from None


if __name__ == "__main__":
    main()
