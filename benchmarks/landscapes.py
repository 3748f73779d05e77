"""Strategies on several tables, without and with limits: `python -m benchmarks.landscapes DATA OUT`.

DATA holds the folders nasbench201 and channels. Each search is a line of the JSON Lines file OUT,
to which a further call adds what is missing; what OUT holds is printed as a table.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from nas.objective import Budget
from nas.strategy import StrategyFactory
from nas.tabular.benchmark import read_benchmark
from nas.tabular.query_budget import MaxQueries
from nas.tabular.search import TabularSearch
from strategies.names import NAMES, configured

POINTS = (50, 100)


@dataclass(frozen=True)
class Landscape:
    """A table and what is limited.

    Args:
        path: The file below DATA.
        search_on: The column that is searched on, at the highest fidelity.
        report: The column of the incumbent that is told.
        limits: For each case, the limited column and the quantile that limits it.
    """

    path: str
    search_on: str
    report: str
    limits: Mapping[str, tuple[str, float] | None]


_CELLS = {"free": None, "macs": ("macs", 0.3), "latency": ("latency_ms_raspi4", 0.25)}
LANDSCAPES = {
    "cifar10": Landscape(
        "nasbench201/nasbench201_cifar10.npz", "val_acc_200ep", "test_acc_200ep", _CELLS
    ),
    "cifar100": Landscape(
        "nasbench201/nasbench201_cifar100.npz", "val_acc_200ep", "test_acc_200ep", _CELLS
    ),
    # No latency was measured: the parameters, as the other cost, stand in its place.
    "widths": Landscape(
        "channels/channel_widths_mobilenet.npz",
        "val_acc_one",
        "test_acc_mean",
        {"free": None, "macs": ("macs", 0.3), "params": ("params", 0.25)},
    ),
}


@cache
def problem(data: Path, name: str, case: str) -> TabularSearch:
    """A search of a table of `LANDSCAPES` by a case of its limits."""
    landscape = LANDSCAPES[name]
    benchmark = read_benchmark(data / landscape.path, (landscape.search_on, landscape.report))
    limit = landscape.limits[case]
    limits = {limit[0]: float(np.quantile(benchmark.columns[limit[0]], limit[1]))} if limit else {}
    return TabularSearch(
        benchmark=benchmark,
        search_on=landscape.search_on,
        report=landscape.report,
        queries=MaxQueries(max(POINTS)),
        budget=Budget(limits),
    )


def parsed(text: str) -> StrategyFactory:
    """The strategy and its settings of "evolution" or "evolution:population=8,sample=4".

    Raises:
        ValueError: if there is no such strategy or setting.
    """
    name, _, settings = text.partition(":")
    for known in NAMES:
        if name == known:
            return configured(
                known, dict(pair.split("=", 1) for pair in settings.split(",") if pair)
            )
    raise ValueError(f"a strategy must be one of {NAMES}, but got {name!r}")


def summary(lines: Iterable[Mapping[str, Any]]) -> str:
    """Mean, standard error and number of seeds of each strategy, as a Markdown table for each of the
    cases: without a limit, with the first and with the second.
    """
    found: dict[str, dict[tuple[str, str], list[list[float]]]] = {}
    for line in lines:
        cells = found.setdefault(line["strategy"], {})
        cells.setdefault((line["table"], line["case"]), []).append(line["reached"])
    every_case = zip(*(landscape.limits for landscape in LANDSCAPES.values()), strict=True)
    return "\n\n".join(
        _table(found, list(zip(LANDSCAPES, cases, strict=True))) for cases in every_case
    )


def _table(
    found: Mapping[str, Mapping[tuple[str, str], list[list[float]]]], cases: list[tuple[str, str]]
) -> str:
    head = [f"{name}, {case}, {point}" for name, case in cases for point in POINTS]
    rows = [["strategy", *head], ["---"] * (1 + len(head))]
    for strategy, cells in found.items():
        row = [strategy]
        for case in cases:
            reached = np.array(cells.get(case, np.empty((0, len(POINTS)))))
            row += [_cell(column) for column in reached.T]
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(values: NDArray[np.float64]) -> str:
    if len(values) < 2:
        return " ".join(f"{value:.2f}" for value in values)
    error = values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.2f} ± {error:.2f} ({len(values)})"


def main(
    arguments: Sequence[str] | None = None, make: Callable[[str], StrategyFactory] = parsed
) -> None:
    """Searches what OUT lacks by the strategies that `make` makes of their names, and prints the
    table.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.landscapes", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--strategies", nargs="*", default=[], metavar="NAME[:OPTION=VALUE,…]")
    parser.add_argument("--tables", nargs="+", choices=LANDSCAPES, default=list(LANDSCAPES))
    parser.add_argument("--cases", nargs="+", default=None, help="free, macs, latency, params")
    parser.add_argument("--seeds", type=int, default=100)
    given = parser.parse_args(arguments)
    lines = (
        [json.loads(line) for line in given.out.read_text().splitlines()]
        if given.out.exists()
        else []
    )
    known = {(line["strategy"], line["table"], line["case"], line["seed"]) for line in lines}
    with threadpool_limits(limits=1), given.out.open("a") as out:
        for key in [
            (text, table, case, seed)
            for text in given.strategies
            for table in given.tables
            for case in LANDSCAPES[table].limits
            if given.cases is None or case in given.cases
            for seed in range(given.seeds)
        ]:
            if key in known:
                continue
            text, table, case, seed = key
            found = problem(given.data, table, case).run(make(text), seed).incumbents
            line = {
                "strategy": text,
                "table": table,
                "case": case,
                "seed": seed,
                # A space that is exhausted before has its best by then.
                "reached": [found[min(point, len(found)) - 1] for point in POINTS],
            }
            print(json.dumps(line), file=out, flush=True)
            lines.append(line)
    print(summary(lines))


if __name__ == "__main__":
    main()
