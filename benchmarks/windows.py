"""What proposals that know fewer results cost each strategy: `python -m benchmarks.windows`.

A window of W lets up to W processes work, and proposal i then knows the results up to i - W.
"""

import argparse

import numpy as np

from benchmarks.made_up import PROBLEMS, incumbents
from nas.threads import one_thread
from strategies.names import NAMES, configured

NEEDLESS = "random", "grid"
"""Strategies that learn nothing from results."""


def main() -> None:
    """Prints the mean over the seeds and the standard error of the difference to a window of 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--windows", type=int, nargs="+", default=(1, 2, 4, 8))
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=("inverse", "small"))
    parser.add_argument(
        "--strategies", nargs="+", default=[name for name in NAMES if name not in NEEDLESS]
    )
    options = parser.parse_args()
    print(f"{'problem':<10}{'strategy':<14}" + "".join(f"{w:>20}" for w in options.windows))
    for problem in (PROBLEMS[name]() for name in options.problems):
        for name in options.strategies:
            found = np.array(
                [
                    [
                        incumbents(problem, configured(name, {}), [options.queries], seed, window)
                        for window in options.windows
                    ]
                    for seed in range(options.seeds)
                ]
            )[:, :, 0]
            differences = found - found[:, :1]
            errors = differences.std(0) / np.sqrt(options.seeds)
            cells = "".join(
                f"{f'{mean:.4f} ± {error:.4f}':>20}"
                for mean, error in zip(found.mean(0), errors, strict=True)
            )
            print(f"{problem.name:<10}{name:<14}{cells}", flush=True)


if __name__ == "__main__":
    with one_thread():
        main()
