"""Searches of a tabular benchmark by any strategy, thousands a minute."""

import argparse
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from rich.console import Console
from rich.table import Table as Rows

from nas.objective import Budget, Objective
from nas.strategy import StrategyFactory
from nas.tabular.benchmark import fidelities, read_benchmark, split_epochs
from nas.tabular.query_budget import MaxQueries, MaxSeconds
from nas.tabular.search import TabularSearch, Trajectory, run_seeds
from strategies.auto import AutoName, automatic
from strategies.multi_fidelity.bracket import max_halvings
from strategies.multi_fidelity.halving import Fidelity, at_fidelity
from strategies.names import configured

POINTS = (10, 20, 50, 100, 200, 500)
BAR = 40


def summary(trajectories: Sequence[Trajectory]) -> dict[str, Any]:
    """Mean and standard deviation of the last incumbents of all searches that have one, and the
    mean incumbent after each of `POINTS` queries, None where a search made fewer; and how many
    searches were ended by what (`Trajectory.ended`).
    """
    last = [one.incumbents[-1] for one in trajectories if one.incumbents]
    curve = {
        str(point): float(np.mean([one.incumbents[point - 1] for one in trajectories]))
        if all(len(one.incumbents) >= point for one in trajectories)
        else None
        for point in POINTS
    }
    ends = Counter(one.ended for one in trajectories)
    return {
        "seeds": len(trajectories),
        "found": len(last),
        "mean": float(np.mean(last)) if last else None,
        "std": float(np.std(last)) if last else None,
        "mean_queries": float(np.mean([len(one.incumbents) for one in trajectories])),
        "mean_cost": float(np.mean([one.cost for one in trajectories])),
        "ended": dict(ends),
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
        limits = dict(given.limit)
        benchmark = read_benchmark(
            given.table, (given.search_on, given.report, *limits), given.fidelity != "full"
        )
        queries = MaxQueries(given.queries) if given.seconds is None else MaxSeconds(given.seconds)
        problem = TabularSearch(
            benchmark=benchmark,
            search_on=given.search_on,
            report=given.report,
            queries=queries,
            budget=Budget(limits),
        )
        objective = Objective(budget=problem.budget)
        trials = 0 if given.queries is None else given.queries
        name = automatic(objective, trials) if given.strategy == "auto" else given.strategy
        inner = configured(name, dict(given.option))
        make = at_epochs(inner, given.fidelity, problem, given.eta)
        # Before any search, so that settings out of range are errors of arguments.
        make(benchmark.choices, np.random.default_rng(0))
        for option, value in (("seeds", given.seeds), ("workers", given.workers)):
            if value < 1:
                raise ValueError(f"{option} must be at least 1, but got {value}")
    except ValueError as error:
        parser.error(str(error))
    trajectories = run_seeds(problem, make, given.seeds, given.workers)
    result = {
        "table": benchmark.name,
        "strategy": name,
        "options": inner.keywords,
        **({} if given.fidelity == "full" else {"fidelity": given.fidelity, "eta": given.eta}),
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


def at_epochs(
    strategy: StrategyFactory, fidelity: Fidelity, problem: TabularSearch, eta: int
) -> StrategyFactory:
    """The strategy at a fidelity, whose rungs are columns of the table.

    Raises:
        ValueError: if the table has no column of the epochs of a rung.
    """
    if fidelity == "full":
        return strategy
    _, epochs = split_epochs(problem.search_on)
    known = [fewer for fewer, _ in fidelities(problem.search_on, problem.benchmark.columns)]
    if not known:
        raise ValueError(
            f"{problem.search_on!r} must have columns of fewer epochs for {fidelity}, but has none"
        )
    halvings = max_halvings(epochs, eta, min(known))
    rungs = [epochs // eta**halving for halving in range(1, halvings + 1)]
    if not rungs or any(rung not in known for rung in rungs):
        raise ValueError(
            f"epochs divided by eta again and again must be those of columns, {known}, "
            f"but {epochs} by {eta} are {rungs}"
        )
    return at_fidelity(fidelity, strategy, epochs, eta=eta, least=min(known))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tabular", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "--table", type=Path, required=True, help="an .npz of designs and their measurements"
    )
    parser.add_argument("--strategy", choices=get_args(AutoName), default="auto")
    parser.add_argument(
        "--fidelity",
        choices=get_args(Fidelity),
        default="full",
        help="halving and hyperband query columns of fewer epochs first, such as val_acc_12ep",
    )
    parser.add_argument(
        "--eta",
        type=int,
        default=3,
        help="of how many a rung promotes one; 16 for 12 and 200 epochs",
    )
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
