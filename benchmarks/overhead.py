"""What ask() and tell() cost with 1,000 candidates told, and how that grows: `python
benchmarks/overhead.py`.
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
WORTH = generator(0, "worth").random((len(CHOICES), max(CHOICES.arities)))
LATER = 200


def fitness(genotype: Genotype) -> float:
    """Made up: every active gene adds its worth."""
    return float(np.mean([WORTH[index, genotype[index]] for index in CHOICES.active(genotype)]))


def facts(genotype: Genotype) -> Facts:
    """Made up as well: every gene costs something."""
    return Facts({"macs": 1e6 * (1 + sum(genotype)), "params": 1e3 * (1 + sum(genotype))}, 0.0)


def spent(name: StrategyName, told: int) -> list[float]:
    """Seconds of processor time of ask and tell until each candidate was told, without what its
    fitness takes.
    """
    strategy: Strategy = configured(name, {})(CHOICES, np.random.default_rng(0))
    if isinstance(strategy, Informed):
        strategy.inform(facts)
    total, times = 0.0, []
    for _ in range(told):
        start = time.process_time()
        proposal = strategy.ask()
        asked = time.process_time()
        score = fitness(proposal.genotype)
        ready = time.process_time()
        strategy.tell(proposal, (score,))
        total += asked - start + time.process_time() - ready
        times.append(total)
    return times


def main() -> None:
    """Prints a row for each strategy: milliseconds a candidate after 1,000, and growth of the total
    against n log n.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategies", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument(
        "--told",
        type=int,
        nargs="+",
        default=[1_250, 2_500, 5_000, 10_000, 20_000],
        help="of which growth is told",
    )
    options = parser.parse_args()
    counts = sorted(options.told)
    print(f"{CHOICES.size:.0e} designs of {len(CHOICES)} choices")
    ratios = "".join(f"{f'{low}→{high}':>14}" for low, high in pairwise(counts))
    print(f"{'strategy':<14}{'ms at 1000':>12}{ratios}   growth of the total, n log n = 1")
    with threadpool_limits(limits=1):
        for name in options.strategies:
            times = spent(name, max(*counts, 1000 + LATER))
            at = 1e3 * (times[1000 + LATER - 1] - times[999]) / LATER
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
