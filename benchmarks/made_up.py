"""Surrogate, evolution and random search on synthetic problems: `python benchmarks/made_up.py`.

`--strategies` names others: evolution with balanced mutations, and surrogates with a prior.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nas.objective import Budget, Evaluation, Objective, Status
from nas.search_loop import Pending, search
from nas.seeds import derive, generator
from nas.space import Choice, Choices, Genotype
from nas.strategy import Facts, Proposal, StrategyFactory
from strategies.bayesian.surrogate import Surrogate
from strategies.evolutionary.aging import AgingEvolution
from strategies.random_search import RandomSearch

POINTS = (25, 50, 100)
PRIORS = {"surrogate, prior": 0.75, "surrogate, useless": 0.0, "surrogate, inverted": -0.75}
"""Surrogates with a prior, by its correlation to the accuracies of candidates within the limit."""


@dataclass(frozen=True)
class Problem:
    """A synthetic problem with one limited cost.

    Args:
        name: Its name in the output.
        choices: The space.
        accuracy: The true accuracy of a candidate.
        cost: The cost of a candidate.
        noise: The standard deviation of an observed accuracy.
        limit: The limit on the cost.
    """

    name: str
    choices: Choices
    accuracy: Callable[[Genotype], float]
    cost: Callable[[Genotype], float]
    noise: float
    limit: float

    def facts(self, genotype: Genotype) -> Facts:
        """The cost and its excess over the limit."""
        costs = {"macs": self.cost(genotype)}
        return Facts(costs, Budget({"macs": self.limit}).excess(costs))

    def submit(self, id: int, proposal: Proposal) -> Pending:
        """A noisy observation, the same for every strategy and seed."""
        genotype = proposal.genotype
        facts = self.facts(genotype)
        error = (
            self.noise * generator(derive(0, self.name, str(genotype)), "noise").standard_normal()
        )
        observed = min(1.0, max(0.0, self.accuracy(genotype) + error))
        status = Status.OVER_BUDGET if facts.excess > 0 else Status.OK
        evaluation = Evaluation(
            id=id,
            genotype=genotype,
            design={},
            status=status,
            reason="",
            metrics={"accuracy": observed, **facts.costs},
            seconds=0.0,
        )
        return lambda: evaluation


def deep() -> Problem:
    """40 choices, most of them conditional, about 10^20 designs: additive effects and pairwise
    interactions under strong noise.
    """
    choices = [Choice("", "depth", (6, 8, 10))]
    for stage in range(10):
        when = None if stage < 6 else ("depth", frozenset({8, 10} if stage < 8 else {10}))
        choices.append(Choice(f"s{stage}", "op", ("conv", "separable", "skip"), when))
        below = (f"s{stage}.op", frozenset({"conv", "separable"}))
        choices += [
            Choice(f"s{stage}", "width", (8, 12, 16, 24, 32), below),
            Choice(f"s{stage}", "kernel", (1, 3, 5), below),
        ]
        choices += [Choice(f"s{stage}", "bits", (2, 3, 4, 8), below)] if stage else []
    space, rng = Choices(choices), generator(1, "deep")
    worth = [rng.normal(size=arity) for arity in space.arities]
    pairs = [
        (*rng.choice(len(space), 2, replace=False), rng.normal(size=(5, 5))) for _ in range(60)
    ]

    def accuracy(genotype: Genotype) -> float:
        active = set(space.active(genotype))
        effects = sum(worth[index][genotype[index]] for index in active)
        effects += 0.7 * sum(
            table[genotype[a], genotype[b]] for a, b, table in pairs if a in active and b in active
        )
        return float(0.5 + 0.01 * effects)

    def cost(genotype: Genotype) -> float:
        design = space.decode(genotype)
        widths = [float(str(design.get(f"s{stage}.width", 0))) for stage in range(10)]
        return 1.0 + sum(
            width * float(str(design.get(f"s{i}.kernel", 0))) ** 2 for i, width in enumerate(widths)
        )

    return Problem("deep", space, accuracy, cost, noise=0.02, limit=2500.0)


def inverse() -> Problem:
    """12 choices of 4 options whose accuracy falls with their cost, which misleads a prior in favor
    of large candidates.
    """
    space, rng = (
        Choices([Choice(f"s{i}", "op", ("a", "b", "c", "d")) for i in range(12)]),
        generator(2, "inverse"),
    )
    costs, worth = rng.random((12, 4)), 0.3 * rng.normal(size=(12, 4))

    def cost(genotype: Genotype) -> float:
        return float(costs[range(12), genotype].sum())

    def accuracy(genotype: Genotype) -> float:
        return float(0.9 - 0.05 * cost(genotype) + 0.05 * worth[range(12), genotype].sum())

    return Problem("inverse", space, accuracy, cost, noise=0.01, limit=7.0)


def small() -> Problem:
    """3,610 conditional designs with pairwise interactions of all choices."""
    conv = ("op", frozenset({"conv", "separable"}))
    parts = [
        Choice("", "op", ("conv", "separable", "pool")),
        Choice("", "width", tuple(range(8, 80, 8)), conv),
    ]
    parts += [Choice("", "kernel", (1, 3, 5, 7), conv), Choice("", "bits", (2, 3, 4, 6, 8), conv)]
    parts += [Choice("head", "width", (16, 32, 64, 128, 256)), Choice("head", "bits", (2, 8))]
    space, rng = Choices(parts), generator(3, "small")
    tables = {(a, b): rng.normal(size=(9, 9)) for a in range(len(space)) for b in range(a)}

    def accuracy(genotype: Genotype) -> float:
        active = space.active(genotype)
        return float(
            0.7
            + 0.02
            * sum(tables[a, b][genotype[a], genotype[b]] for a in active for b in active if b < a)
        )

    def cost(genotype: Genotype) -> float:
        design = space.decode(genotype)
        head = float(str(design["head.width"])) * float(str(design["head.bits"]))
        return head + float(str(design.get("width", 0))) * float(
            str(design.get("kernel", 0))
        ) * float(str(design.get("bits", 0)))

    return Problem("small", space, accuracy, cost, noise=0.005, limit=1200.0)


def knapsack() -> Problem:
    """16 layers, each with a width and bits, whose losses add up and fall ever more slowly, in a
    tenth of the largest file: the bytes of a layer are a product of its bits and two widths.
    """
    widths, bits, rng = (
        (1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1.0),
        (1, 2, 3, 4, 6, 8),
        generator(4, "knapsack"),
    )
    layers = 16
    space = Choices(
        [
            Choice(f"s{i}", kind, options)
            for i in range(layers)
            for kind, options in (("width", widths), ("bits", bits))
        ]
    )
    weights = 64 * 4 ** rng.random(layers)
    of_width, of_bits = 0.02 * np.exp(rng.normal(size=(2, layers)))

    def settings(genotype: Genotype) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.array(widths)[list(genotype[::2])], np.array(bits, np.float64)[
            list(genotype[1::2])
        ]

    def cost(genotype: Genotype) -> float:
        width, bit = settings(genotype)
        return float((weights * bit / 8 * width * np.concatenate(([1.0], width[:-1]))).sum())

    def accuracy(genotype: Genotype) -> float:
        width, bit = settings(genotype)
        return float(np.exp(-(of_width * (1 - width) ** 2 + of_bits * 4 ** (1 - bit)).sum()))

    return Problem("knapsack", space, accuracy, cost, noise=0.003, limit=0.1 * float(weights.sum()))


PROBLEMS = {"deep": deep, "inverse": inverse, "small": small, "knapsack": knapsack}


def strategies(problem: Problem) -> dict[str, StrategyFactory]:
    """All strategies that can be compared, by name."""
    return {
        "random": RandomSearch,
        "evolution": AgingEvolution,
        "evolution, balanced": partial(AgingEvolution, balanced=0.5),
        "surrogate": Surrogate,
        **{
            name: partial(Surrogate, prior=prior(problem, correlation))
            for name, correlation in PRIORS.items()
        },
    }


def prior(problem: Problem, correlation: float) -> Callable[[Genotype], float]:
    """The true accuracy with an error that is the same for every strategy and seed: a sum over
    choices, as in a table of what each option does alone.
    """
    choices, rng = problem.choices, generator(derive(0, problem.name), "prior")
    tables = [rng.normal(size=arity) for arity in choices.arities]

    def error(genotype: Genotype) -> float:
        return float(sum(tables[index][genotype[index]] for index in choices.active(genotype)))

    sampled = [choices.sample(rng) for _ in range(2000)]
    within = [genotype for genotype in sampled if problem.facts(genotype).excess == 0]
    moments = [
        (np.mean(values), np.std(values))
        for values in (list(map(of, within)) for of in (problem.accuracy, error))
    ]

    def expected(genotype: Genotype) -> float:
        accuracy, wrong = (
            (of(genotype) - mean) / deviation
            for of, (mean, deviation) in zip((problem.accuracy, error), moments, strict=True)
        )
        return float(correlation * accuracy + math.sqrt(1 - correlation**2) * wrong)

    return expected


def incumbents(
    problem: Problem, make: StrategyFactory, points: Sequence[int], seed: int, window: int = 1
) -> list[float]:
    """The true accuracy of the incumbent, selected by observed accuracy, after each of `points`
    queries, of which `window` are outstanding at a time.
    """
    objective = Objective(budget=Budget({"macs": problem.limit}))
    strategy = make(problem.choices, generator(seed, "strategy"))
    best, true = (-1.0, 0.0), []
    for evaluation in search(
        strategy, problem.submit, objective, max(points), window, facts=problem.facts
    ):
        if evaluation.status is Status.OK:
            best = max(
                best, (evaluation.metrics["accuracy"], problem.accuracy(evaluation.genotype))
            )
            true.append(best[1])
    return [true[point - 1] for point in points]


def main() -> None:
    """Prints mean and standard error over the seeds for each problem and strategy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--points", type=int, nargs="+", default=POINTS)
    parser.add_argument(
        "--problems", nargs="+", choices=PROBLEMS, default=("deep", "inverse", "small")
    )
    parser.add_argument(
        "--strategies", nargs="+", default=("random", "evolution", "surrogate"), metavar="NAME"
    )
    options = parser.parse_args()
    print(
        f"{'problem':<10}{'designs':>10}  {'strategy':<20}"
        + "".join(f"{f'{point} queries':>20}" for point in options.points)
    )
    for problem in (PROBLEMS[name]() for name in options.problems):
        known = strategies(problem)
        for name in options.strategies:
            values = np.array(
                [
                    incumbents(problem, known[name], options.points, seed)
                    for seed in range(options.seeds)
                ]
            )
            means, errors = values.mean(0), values.std(0) / np.sqrt(options.seeds)
            cells = "".join(
                f"{f'{mean:.4f} ± {error:.4f}':>20}"
                for mean, error in zip(means, errors, strict=True)
            )
            print(f"{problem.name:<10}{problem.choices.size:>10.1e}  {name:<20}{cells}", flush=True)


if __name__ == "__main__":
    main()
