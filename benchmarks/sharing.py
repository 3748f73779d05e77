"""Whether candidates that start from weights that were trained together are told apart sooner.

    python -m benchmarks.sharing --data FOLDER

trains a supernet for images within a small budget, and draws designs there. It prints the validation
accuracy of each: of its file after a short training from nothing; of the network in floats with the
weights of the supernet as they are; of the file after a short training from these; and of the file after
a long training from nothing, by another seed. Then it prints Spearman's rank correlation of each with the
last, and the processor time. With `--minutes`, a search without a supernet and one with it have so many
minutes of processor time each, and the best of each is trained for long, from nothing, by another seed.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr

from experiments.images import DEFAULTS, WIDTHS, images
from nas.data import stratified
from nas.evaluation.drawn import drawn_within
from nas.evaluation.evaluator import Evaluator
from nas.experiment import Experiment
from nas.objective import Budget, Evaluation, best
from nas.runs.supernet import trained_weights
from nas.search_loop import Pending, search
from nas.seeds import generator, seeded
from nas.space import Genotype
from nas.strategy import Proposal
from nas.threads import one_thread
from nas.training.accelerator import ACCELERATORS
from nas.training.fit import accuracy, cross_entropy
from nas.training.recalibration import recalibrate
from nas.training.supernet import Supernet
from search_spaces.conv_blocks import ConvBlocks

SHORT, UNTRAINED, SHARED, LONG = "short", "shared, not trained", "shared, short", "long"
LONGER = 4
"""How many times as many epochs a long training has."""
RESAMPLES = 1000
SPACES = {
    "all": ConvBlocks(widths=WIDTHS),
    "widths": ConvBlocks(
        widths=WIDTHS,
        stages=(3,),
        depths=(1,),
        operators=("conv3x3",),
        stem_halvings=("pool",),
        halvings=("pool",),
    ),
}
"""The space of `experiments/images.py`, and what is left of it if all but widths, bits and the kernel of the
stem is fixed, as in slimmable networks.
"""


def reached(evaluator: Evaluator, genotype: Genotype, epochs: float | None = None) -> float:
    """The accuracy of the file after so many epochs, however long it is; 0 if it fails."""
    evaluation, _ = replace(evaluator, budget=Budget())(0, Proposal(genotype, epochs))
    return evaluation.metrics.get("accuracy", 0.0)


def untrained(evaluator: Evaluator, genotype: Genotype) -> float:
    """The accuracy in floats of the shared weights as they are."""
    with seeded(0):
        design = evaluator.space.choices.decode(genotype)
        model = evaluator.built(design, evaluator.task.example)
    assert evaluator.shared is not None
    evaluator.shared.give(model)
    recalibrate(model, evaluator.calibration)
    return accuracy(model, evaluator.task.validation)


def rank_correlation(rows: Sequence[dict[str, float]], name: str, rng: np.random.Generator) -> str:
    """Spearman's, with the long training, and its standard error by a bootstrap over the designs; empty if
    all are alike.
    """
    pairs = np.array([[row[name], row[LONG]] for row in rows])
    if not np.ptp(pairs, axis=0).all():
        return ""
    drawn = [pairs[rng.integers(len(pairs), size=len(pairs))] for _ in range(RESAMPLES)]
    resampled = [spearmanr(each)[0] for each in drawn if np.ptp(each, axis=0).all()]
    return f"{spearmanr(pairs)[0]:.2f} ± {np.std(resampled):.2f}"


def searched(experiment: Experiment, minutes: float) -> tuple[list[Evaluation], float]:
    """What a search evaluates in so many minutes of processor time, and those that its supernet took."""
    start = time.process_time()
    facts = experiment.evaluator(cross_entropy).facts
    shared = None if experiment.supernet is None else trained_weights(experiment, facts)
    before = (time.process_time() - start) / 60
    evaluator = experiment.evaluator(cross_entropy, shared=shared)
    strategy = experiment.strategy(experiment.space.choices, generator(experiment.seed, "strategy"))
    evaluations = list[Evaluation]()

    def submit(number: int, proposal: Proposal) -> Pending:
        return lambda: evaluator(number, proposal)[0]

    for evaluation in search(
        strategy, submit, experiment.objective, experiment.trials, facts=facts
    ):
        evaluations.append(evaluation)
        if time.process_time() - start >= 60 * minutes:
            break
    return evaluations, before


def compare_rankings(experiment: Experiment, designs: int) -> None:
    """Prints the accuracies of designs that are drawn, and how each fidelity ranks them."""
    start = time.process_time()
    alone = experiment.evaluator(cross_entropy)
    shared = replace(alone, shared=trained_weights(experiment, alone.facts))
    other = replace(alone, seed=alone.seed + 1)
    print(f"supernet: {time.process_time() - start:.0f} s of processor time\n", flush=True)
    recipe, rng = experiment.recipe, generator(experiment.seed, "sharing")
    long = LONGER * (recipe.epochs + recipe.finetune_epochs)
    kinds: dict[str, Callable[[Genotype], float]] = {
        SHORT: lambda genotype: reached(alone, genotype),
        UNTRAINED: lambda genotype: untrained(shared, genotype),
        SHARED: lambda genotype: reached(shared, genotype),
        LONG: lambda genotype: reached(other, genotype, long),
    }
    print(f"| bytes | {' | '.join(kinds)} |\n|---{'|---' * len(kinds)}|", flush=True)
    rows, seconds = list[dict[str, float]](), dict.fromkeys(kinds, 0.0)
    budget, choices = experiment.objective.budget, experiment.space.choices
    for genotype in drawn_within(choices, alone.facts, budget, rng, designs):
        row = dict[str, float]()
        for name, measure in kinds.items():
            start = time.process_time()
            row[name] = measure(genotype)
            seconds[name] += time.process_time() - start
        rows.append(row)
        size = alone.facts(genotype).costs["size_bytes"]
        print(f"| {size:,.0f} | {' | '.join(f'{each:.4f}' for each in row.values())} |", flush=True)
    correlations = [rank_correlation(rows, name, rng) for name in kinds]
    print(f"| rank correlation | {' | '.join(correlations)} |")
    print(f"| seconds | {' | '.join(f'{each:.0f}' for each in seconds.values())} |\n", flush=True)


def compare_searches(experiment: Experiment, minutes: float) -> None:
    """Prints what a search finds in the same time without a supernet and with it."""
    recipe = experiment.recipe
    long = LONGER * (recipe.epochs + recipe.finetune_epochs)
    print(
        "| supernet | its minutes | trials | best in the search | the same, long |\n|---|---|---|---|---|"
    )
    for supernet in (None, experiment.supernet):
        evaluations, before = searched(replace(experiment, supernet=supernet), minutes)
        leader = best(evaluations, experiment.objective)
        if leader is None:
            raise RuntimeError(f"a search must find a network in {minutes} minutes, but found none")
        other = replace(experiment.evaluator(cross_entropy), seed=experiment.seed + 1)
        trials, found = sum(each.is_trial for each in evaluations), leader.metrics["accuracy"]
        said = "no" if supernet is None else f"{supernet.epochs} epochs"
        after = reached(other, leader.genotype, long)
        print(f"| {said} | {before:.1f} | {trials} | {found:.4f} | {after:.4f} |", flush=True)


@one_thread()
def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--size-bytes", type=int, default=1536)
    parser.add_argument("--macs", type=int, default=400_000)
    parser.add_argument("--samples", type=int, default=1_500)
    parser.add_argument("--validation", type=int, default=2_000)
    parser.add_argument("--designs", type=int, default=12)
    parser.add_argument("--supernet-epochs", type=int, default=6)
    parser.add_argument("--supernet-designs", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--space", choices=SPACES, default="all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--accelerator", choices=ACCELERATORS, default="cpu")
    options = parser.parse_args()
    experiment = images(
        options.data,
        replace(
            DEFAULTS,
            size_bytes=options.size_bytes,
            macs=options.macs,
            samples=options.samples,
            epochs=2,
            finetune_epochs=1,
            fidelity="full",
            trials=1_000,
            seed=options.seed,
        ),
        warm_start=False,
    )
    task = experiment.task
    few = stratified(task.validation, options.validation, generator(0, "validation"))
    experiment = replace(
        experiment,
        space=SPACES[options.space],
        task=replace(task, validation=few),
        recipe=replace(experiment.recipe, validate_every=100),
        accelerator=options.accelerator,
        supernet=Supernet(epochs=options.supernet_epochs, designs=options.supernet_designs),
    )
    if options.designs:
        compare_rankings(experiment, options.designs)
    if options.minutes:
        compare_searches(experiment, options.minutes)


if __name__ == "__main__":
    main()
