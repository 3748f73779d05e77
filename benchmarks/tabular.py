"""Any strategy on a table of finished training runs: thousands of searches a minute, without
training anything.
"""

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
from nas.tabular.lookup import Found, Lookup, run_seeds
from strategies.names import NAMES, configured

POINTS = (10, 20, 50, 100, 200, 500)
BAR = 40


def summary(found: Sequence[Found]) -> dict[str, Any]:
    """Mean and standard deviation over the searches that found anything, and the curve where all of
    them reached it.
    """
    last = [one.incumbents[-1] for one in found if one.incumbents]
    curve = {
        str(point): float(np.mean([one.incumbents[point - 1] for one in found]))
        if all(len(one.incumbents) >= point for one in found)
        else None
        for point in POINTS
    }
    return {
        "seeds": len(found),
        "found": len(last),
        "mean": float(np.mean(last)) if last else None,
        "std": float(np.std(last)) if last else None,
        "mean_queries": float(np.mean([len(one.incumbents) for one in found])),
        "mean_cost": float(np.mean([one.cost for one in found])),
        "curve": curve,
    }


def print_summary(told: dict[str, Any], console: Console) -> None:
    """A table of the run and of its curve, with bars from the curve's lowest to its highest point."""
    for name, value in told.items():
        if name != "curve" and value not in (None, {}):
            console.print(
                f"{name:<14} {value:.3f}" if isinstance(value, float) else f"{name:<14} {value}",
                highlight=False,
            )
    reached = {point: value for point, value in told["curve"].items() if value is not None}
    if told["mean"] is not None:
        reached["end"] = told["mean"]
    if not reached:
        return
    low, high = min(reached.values()), max(reached.values())
    rows = Rows("queries", told["report"], "")
    for point, value in reached.items():
        rows.add_row(
            point,
            f"{value:.3f}",
            "█" * (1 + round((BAR - 1) * (value - low) / ((high - low) or 1.0))),
        )
    console.print(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m benchmarks.tabular`; ends with status 2 if the arguments or the table are wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        make = configured(given.strategy, dict(given.option))
        limits = dict(given.limit)
        table = read_benchmark(given.table, (given.search_on, given.report, *limits))
        by_cost = given.seconds is not None
        most = given.seconds if by_cost else given.queries
        lookup = Lookup(
            table=table,
            search_on=given.search_on,
            report=given.report,
            most=most,
            by_cost=by_cost,
            budget=Budget(limits),
        )
        make(table.choices, np.random.default_rng(0))
        for name, value in (("seeds", given.seeds), ("workers", given.workers)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, but got {value}")
    except ValueError as error:
        parser.error(str(error))
    found = run_seeds(lookup, make, given.seeds, given.workers)
    told = {
        "table": table.name,
        "strategy": given.strategy,
        "options": make.keywords,
        "search_on": given.search_on,
        "report": given.report,
        "limits": limits,
        "seconds": given.seconds,
        "queries": given.queries,
        **summary(found),
    }
    if given.json:
        print(json.dumps(told))
    else:
        print_summary(told, Console())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.tabular", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "--table", type=Path, required=True, help="an .npz of designs and what was measured of them"
    )
    parser.add_argument("--strategy", choices=NAMES, required=True)
    parser.add_argument(
        "--seeds", type=int, default=500, help="how many searches: seeds 0, 1, 2, …"
    )
    most = parser.add_mutually_exclusive_group(required=True)
    most.add_argument(
        "--seconds", type=float, help="the most that the queries of one search may cost in all"
    )
    most.add_argument("--queries", type=int, help="the most queries of one search")
    parser.add_argument(
        "--search-on", default="val_acc_12ep", help="the column that the strategy is told"
    )
    parser.add_argument(
        "--report", default="test_acc_200ep", help="the column of the incumbent that is reported"
    )
    parser.add_argument(
        "--limit",
        type=_limit,
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="the most that a fact may be",
    )
    parser.add_argument(
        "--option",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an argument of the strategy",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        help="processes; they do not change the result",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
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
