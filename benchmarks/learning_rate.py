"""Whether it pays to search the learning rate with the architecture: `python -m
benchmarks.learning_rate` prints a table.

Networks for the handwritten digits within 2,048 bytes, found by the same strategy with the same number
of trials: at the recipe's learning rate, and with the rate as a choice of each candidate. The best by
validation accuracy is scored on test samples.
"""

import argparse
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from experiments.digits import digits
from experiments.options import SearchOptions
from nas import grids
from nas.experiment import Experiment
from nas.objective import best
from nas.packed import unpack
from nas.program import score
from nas.runs.directory import packed_path
from nas.runs.run import run
from search_spaces.with_recipe import WithRecipe

RATES = grids.log_uniform(1.25e-3, 2e-2, 5)
"""The default, 5e-3, is the middle one."""


def ways(seed: int, trials: int) -> Mapping[str, Experiment]:
    """The same search with the learning rate as it is and as a choice."""
    options = SearchOptions(size_bytes=2048, epochs=8, finetune_epochs=4, trials=trials, seed=seed)
    fixed = digits(options, space="mlp")
    chosen = replace(fixed, space=WithRecipe(fixed.space, {"lr": RATES}))
    return {"fixed": fixed, "chosen": chosen}


def accuracies(experiment: Experiment) -> tuple[float, float, object]:
    """Of the best candidate of a search: validation accuracy, test accuracy, and learning rate."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "run")
        leader = best(run(experiment, out).evaluations, experiment.objective)
        if leader is None:
            raise RuntimeError("no candidate was within the budget")
        tested = score(unpack(packed_path(out, leader.id).read_bytes()), experiment.task.test)
    rate = leader.design.get("recipe.lr", experiment.recipe.lr)
    return leader.metrics["accuracy"], tested, rate


def main() -> None:
    """Prints a line for each seed and way, and the means."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=24)
    options = parser.parse_args()
    found = dict[str, list[tuple[float, float, object]]]()
    print("| learning rate | seed | validation | test | rate of the best |\n|---|---|---|---|---|")
    for seed in range(options.seeds):
        for name, experiment in ways(seed, options.trials).items():
            found.setdefault(name, []).append(point := accuracies(experiment))
            print(f"| {name} | {seed} | {point[0]:.4f} | {point[1]:.4f} | {point[2]} |", flush=True)
    for name, points in found.items():
        validated, tested, _ = zip(*points, strict=True)
        means = statistics.fmean(validated), statistics.fmean(tested)
        print(f"| {name} | mean | {means[0]:.4f} | {means[1]:.4f} | |")


if __name__ == "__main__":
    main()
