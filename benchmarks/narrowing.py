"""Networks that are narrow from the start beside the same networks trained wide and then pruned: random designs of
`experiments/digits.py`, trained from scratch, of equal widths, bits and epochs.
"""

import argparse
import statistics
from dataclasses import replace

from experiments.digits import digits
from nas.evaluation import Evaluator
from nas.seeds import generator
from nas.space import Genotype
from nas.strategy import Proposal
from nas.threads import one_thread
from nas.training.fit import cross_entropy


def pruned_designs(evaluator: Evaluator, count: int) -> list[Genotype]:
    """Random genotypes within the budget of which a stage is pruned."""
    choices, rng, found = evaluator.space.choices, generator(0, "narrowing"), list[Genotype]()
    while len(found) < count:
        genotype = choices.sample(rng)
        design = choices.decode(genotype)
        pruned = any(name.endswith(".prune") and design[name] != 0.0 for name in design)
        if pruned and evaluator.facts(genotype).excess == 0:
            found.append(genotype)
    return found


def main() -> None:
    """Prints the mean accuracies of both, and the mean of the differences with its standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=40)
    given, narrow = parser.parse_args(), digits().evaluator(cross_entropy)
    cut = replace(narrow, narrowing=(), compressors=(*narrow.narrowing, *narrow.compressors))
    with one_thread():
        genotypes = pruned_designs(narrow, given.designs)
        reached = [
            [each(0, Proposal(genotype))[0].metrics["accuracy"] for each in (narrow, cut)]
            for genotype in genotypes
        ]
    gains = [first - second for first, second in reached]
    error = statistics.stdev(gains) / len(gains) ** 0.5
    for name, accuracies in zip(
        ("narrow from the start", "trained wide, then pruned"),
        zip(*reached, strict=True),
        strict=True,
    ):
        print(f"{name:<28}{statistics.fmean(accuracies):.4f}")
    print(f"{'gain':<28}{statistics.fmean(gains):.4f} ± {error:.4f}")


if __name__ == "__main__":
    main()
