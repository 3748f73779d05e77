"""How well few epochs, or none, rank the candidates of a search over a trained network.

    python -m benchmarks.fidelity --candidates 10

compresses the network of the handwritten digits in as many ways as there are candidates, drawn within
the budget, and prints the validation accuracy of each file after no training, after one epoch, after
all but one that go on from that one, and after all, anew; and Spearman's rank correlation of each
with all epochs anew by another seed.
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from experiments.compression import DEFAULTS, compression
from nas.compress import compress
from nas.evaluation.evaluator import CALIBRATION_SAMPLES, Evaluator
from nas.experiment import Experiment
from nas.runs.teacher import loss_of
from nas.seeds import candidate_seed, generator, seeded
from nas.space import Choices, Genotype
from nas.strategy import Proposal
from nas.threads import one_thread
from nas.training.fit import never

UNMATCHED, CONTINUED, AGAIN = "0, not matched", "1, then the others", "another seed"
ATTEMPTS, CHANGES = 60, 4


def candidates(
    choices: Choices, rng: np.random.Generator, evaluator: Evaluator, count: int
) -> list[Genotype]:
    """Different genotypes within the budget: random ones, in which fewer bits and higher pruning
    ratios are drawn at random places until they are.
    """
    found = dict[Genotype, None]()
    while len(found) < count:
        genotype = choices.sample(rng)
        for _ in range(ATTEMPTS):
            if evaluator.facts(genotype).excess == 0:
                found[genotype] = None
                break
            genes = list(genotype)
            for place in rng.choice(len(genes), CHANGES, replace=False):
                choice = choices[int(place)]
                step = {"bits": -1, "prune": 1}.get(choice.kind, 0)
                genes[place] = min(max(genes[place] + step, 0), len(choice.options) - 1)
            genotype = choices.canonical(genes)
    return list(found)


def unmatched(experiment: Experiment, evaluator: Evaluator, genotype: Genotype) -> float:
    """The accuracy of the file without training and with the statistics that compression leaves."""
    design = experiment.space.choices.decode(genotype)
    task = experiment.task
    built = experiment.space.build(design, task.example, task.classes)
    images = task.train.inputs[:CALIBRATION_SAMPLES]
    model = compress(built, design, experiment.compressors, images)
    return evaluator.measure(model, evaluator.facts(genotype).costs)[1]["accuracy"]


def continued(experiment: Experiment, evaluator: Evaluator, genotype: Genotype) -> float:
    """The accuracy of the file after one epoch, with its own annealed schedule, and then the others
    with theirs.
    """
    design = experiment.space.choices.decode(genotype)
    task, epochs = experiment.task, experiment.recipe.finetune_epochs
    with seeded(candidate_seed(evaluator.seed, genotype)):
        built = experiment.space.build(design, task.example, task.classes)
        model = compress(built, design, experiment.compressors, evaluator.calibration)
        training = evaluator.training(design, genotype)
        training.finetune(model, 1, never)
        training.finetune(model, epochs - 1, never)
        return evaluator.measure(model, evaluator.facts(genotype).costs)[1]["accuracy"]


def measured(
    experiment: Experiment, evaluator: Evaluator, genotype: Genotype, epochs: Mapping[str, int]
) -> tuple[float, dict[str, float], dict[str, float]]:
    """The bytes of the file, and by fidelity its accuracies and the seconds of processor time; no
    accuracy is 0.
    """
    size, accuracies, seconds = 0.0, dict[str, float](), dict[str, float]()
    for name, number in epochs.items():
        start = time.process_time()
        evaluation, _ = evaluator(0, Proposal(genotype, number))
        seconds[name] = time.process_time() - start
        accuracies[name] = evaluation.metrics.get("accuracy", 0.0)
        size = evaluation.metrics.get("size_bytes", 0.0)
    accuracies[UNMATCHED] = unmatched(experiment, evaluator, genotype)
    accuracies[CONTINUED] = continued(experiment, evaluator, genotype)
    other = replace(evaluator, seed=evaluator.seed + 1)
    again, _ = other(0, Proposal(genotype, max(epochs.values())))
    accuracies[AGAIN] = again.metrics.get("accuracy", 0.0)
    return size, accuracies, seconds


@one_thread()
def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--size-bytes", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    limited = replace(DEFAULTS, size_bytes=options.size_bytes, seed=options.seed)
    experiment = compression(limited, width=options.width, warm_start=False)
    evaluator = experiment.evaluator(loss_of(experiment, Path()))
    full = experiment.recipe.finetune_epochs
    epochs = {"0": 0, "1": 1, str(full): full}
    names = (UNMATCHED, "0", "1", CONTINUED, str(full), AGAIN)
    print("| bytes | " + " | ".join(f"epochs: {name}" for name in names) + " |", flush=True)
    print("|---|" + "---|" * len(names), flush=True)
    rows, times = list[dict[str, float]](), list[dict[str, float]]()
    rng = generator(options.seed, "candidates")
    drawn = candidates(experiment.space.choices, rng, evaluator, options.candidates)
    for genotype in drawn:
        size, accuracies, seconds = measured(experiment, evaluator, genotype, epochs)
        rows.append(accuracies)
        times.append(seconds)
        cells = " | ".join(f"{accuracies[name]:.4f}" for name in names)
        print(f"| {size:,.0f} | {cells} |", flush=True)
    last = [row[AGAIN] for row in rows]
    ranks = " | ".join(f"{spearmanr([row[name] for row in rows], last)[0]:.2f}" for name in names)
    print(f"| rank correlation | {ranks} |")
    total = {name: sum(row[name] for row in times) for name in epochs}
    shares = {name: f"{total[name] / total[str(full)]:.2f}" for name in epochs}
    print(f"| processor time | {' | '.join(shares.get(name, '') for name in names)} |")


if __name__ == "__main__":
    main()
