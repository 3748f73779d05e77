"""Strategies on real training runs: the best validation accuracy within a size budget, over seeds,
compared with random search: `python benchmarks/searches.py`.
"""

import argparse
from dataclasses import dataclass
from functools import partial
from typing import get_args

import numpy as np
import torch

from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.data import Task, digits
from nas.evaluate import Evaluator
from nas.objective import Budget, Evaluation, Objective, Status
from nas.search_loop import Pending, search
from nas.seeds import generator
from nas.space import SearchSpace
from nas.strategy import Proposal
from nas.training.fit import cross_entropy
from nas.training.recipe import Recipe
from search_spaces.conv_stages import ConvStages
from search_spaces.mlp import Mlp
from strategies.names import StrategyName, strategy_class

RECIPE = Recipe(epochs=4, finetune_epochs=2)


@dataclass(frozen=True)
class Problem:
    """A search problem.

    Args:
        space: The space.
        size_bytes: The limit on the size of a packed file, in bytes.
        points: The numbers of trained candidates after which strategies are compared.
    """

    space: SearchSpace
    size_bytes: int
    points: tuple[int, ...]


PROBLEMS = {
    "mlp": Problem(Mlp(), 1200, (10, 30, 60, 100)),
    "conv": Problem(ConvStages(), 3000, (10, 20, 40)),
}


def curve(problem: Problem, name: StrategyName, task: Task, seed: int) -> list[float]:
    """The best accuracy after each of `problem.points` trained candidates."""
    space, budget = problem.space, Budget({"size_bytes": float(problem.size_bytes)})
    evaluator = Evaluator(
        space=space,
        compressors=(ChannelPruning(), Quantization()),
        task=task,
        recipe=RECIPE,
        budget=budget,
        device=None,
        loss=cross_entropy,
        seed=seed,
    )
    strategy = strategy_class(name)(space.choices, generator(seed, "strategy"))

    def submit(number: int, proposal: Proposal) -> Pending:
        def evaluate() -> Evaluation:
            return evaluator(number, proposal)[0]

        return evaluate

    objective = Objective(maximize=("accuracy",), minimize=(), budget=budget)
    found = search(strategy, submit, objective, trials=max(problem.points), facts=evaluator.facts)
    best = np.maximum.accumulate([e.metrics["accuracy"] for e in found if e.status is Status.OK])
    return [float(best[min(point, len(best)) - 1]) for point in problem.points]


def main() -> None:
    """Prints mean and standard error for each strategy, and the numbers of seeds in which it ends
    above random search and equal to it.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", choices=PROBLEMS, default="mlp")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument(
        "--strategies",
        nargs="+",
        choices=get_args(StrategyName),
        default=["evolution", "local_search", "surrogate"],
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = digits(generator(0, "digits"))
    problem = PROBLEMS[options.space]
    print(
        f"{'strategy':<14}"
        + "".join(f"{f'{point} trained':>20}" for point in problem.points)
        + f"{'above, equal':>14}"
    )
    random: list[list[float]] = []
    for name in ("random", *options.strategies):
        curves = list(map(partial(curve, problem, name, task), range(options.seeds)))
        random = random or curves
        means, errors = np.mean(curves, 0), np.std(curves, 0, ddof=1) / np.sqrt(options.seeds)
        ends = [(mine[-1], other[-1]) for mine, other in zip(curves, random, strict=True)]
        counts = f"{sum(mine > other for mine, other in ends)}, {sum(mine == other for mine, other in ends)}"
        row = "".join(
            f"{f'{mean:.4f} ± {error:.4f}':>20}" for mean, error in zip(means, errors, strict=True)
        )
        print(f"{name:<14}{row}{counts:>14}", flush=True)


if __name__ == "__main__":
    main()
