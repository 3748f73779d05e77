"""Processor time of ask() and tell() after 1,000 results, and its growth:
`python benchmarks/overhead.py`.
"""

import argparse
import math
import time
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from nas.seeds import generator
from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts, Informed, Strategy
from strategies.names import NAMES, StrategyName, configured

CHOICES = Choices(
    [Choice(f"stage{index}", "op", ("skip", "conv", "separable", "shuffle")) for index in range(20)]
    + [
        Choice(
            f"stage{index}",
            "width",
            tuple(range(8)),
            (f"stage{index}.op", frozenset({"conv", "shuffle"})),
        )
        for index in range(20)
    ]
)
CONTRIBUTIONS = generator(0, "worth").random((len(CHOICES), max(CHOICES.arities)))
MEASURED = 200


def fitness(genotype: Genotype) -> float:
    """A made-up fitness, the mean of the contributions of all active genes."""
    return float(
        np.mean([CONTRIBUTIONS[index, genotype[index]] for index in CHOICES.active(genotype)])
    )


def facts(genotype: Genotype) -> Facts:
    """Made-up costs, which grow with every gene."""
    return Facts({"macs": 1e6 * (1 + sum(genotype)), "params": 1e3 * (1 + sum(genotype))}, 0.0)


def cumulative_seconds(name: StrategyName, results: int) -> list[float]:
    """Processor time of all calls of ask() and tell() up to each result, in seconds."""
    strategy: Strategy = configured(name, {})(CHOICES, np.random.default_rng(0))
    if isinstance(strategy, Informed):
        strategy.inform(facts)
    total, times = 0.0, []
    for _ in range(results):
        start = time.process_time()
        proposal = strategy.ask()
        asked = time.process_time()
        score = fitness(proposal.genotype)
        evaluated = time.process_time()
        strategy.tell(proposal, (score,))
        total += asked - start + time.process_time() - evaluated
        times.append(total)
    return times


def main() -> None:
    """Prints for each strategy the milliseconds per candidate after 1,000 results, and the growth
    of the total time relative to n log n.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategies", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument(
        "--results",
        type=int,
        nargs="+",
        default=[1_250, 2_500, 5_000, 10_000, 20_000],
        help="numbers of results between which growth is measured",
    )
    options = parser.parse_args()
    counts = sorted(options.results)
    print(f"{CHOICES.size:.0e} designs of {len(CHOICES)} choices")
    ratios = "".join(f"{f'{low}→{high}':>14}" for low, high in pairwise(counts))
    print(f"{'strategy':<14}{'ms at 1000':>12}{ratios}   growth of the total, n log n = 1")
    with threadpool_limits(limits=1):
        for name in options.strategies:
            times = cumulative_seconds(name, max(*counts, 1000 + MEASURED))
            at = 1e3 * (times[1000 + MEASURED - 1] - times[999]) / MEASURED
            growth = [
                times[b - 1] / times[a - 1] * (a * math.log(a)) / (b * math.log(b))
                for a, b in pairwise(counts)
            ]
            print(
                f"{name:<14}{at:>12.3f}" + "".join(f"{ratio:>14.2f}" for ratio in growth),
                flush=True,
            )


if __name__ == "__main__":
    main()
