"""What each part of a search is worth: the search of experiments/images.py without it, at equal processor time.

`python -m benchmarks.ablations --data FOLDER --bytes 1536 --minutes 30`, a folder of Fashion-MNIST's files. Each row is a search
and a final training, as in `benchmarks.beat`, whose files, loaded again, are scored on the test samples.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean, stdev

from benchmarks.beat import searched
from benchmarks.trained.tasks import fashion_mnist
from experiments.images import DEFAULTS, images
from nas import Experiment, Task
from nas.training.augmentation import AUGMENTATIONS
from nas.training.fit import cross_entropy
from search_spaces import ConvBlocks
from search_spaces.first_networks import first_networks
from strategies import WarmStart
from strategies.multi_fidelity.halving import Fidelity, at_fidelity
from strategies.names import StrategyName

COLUMNS = ("", "candidates", "bytes", "test accuracy, by seed", "mean", "of the whole search")


@dataclass(frozen=True, kw_only=True)
class Search:
    """The search of experiments/images.py, but for what is given: its strategy, whether it begins with
    networks as made by hand, its fidelity, the bit-widths of its space (None: all), the penalty of
    coded bits, and whether images are varied.
    """

    strategy: StrategyName = "evolution"
    first: bool = True
    fidelity: Fidelity = "halving"
    bits: tuple[int, ...] | None = None
    rate_penalty: float = 0.1
    varied: bool = False

    def experiment(self, data: Path, task: Task, size_bytes: int, seed: int) -> Experiment:
        """The experiment, without an end."""
        made = images(
            str(data),
            replace(
                DEFAULTS,
                size_bytes=size_bytes,
                strategy=self.strategy,
                trials=10**6,
                fidelity="full",
                rate_penalty=self.rate_penalty,
                seed=seed,
            ),
            warm_start=False,
        )
        space = made.space
        if self.bits is not None and isinstance(space, ConvBlocks):
            space = replace(space, bits=self.bits)
        augmentation = AUGMENTATIONS["mirrored" if self.varied else "off"]
        recipe = replace(made.recipe, augmentation=augmentation)
        made = replace(made, task=task, space=space, recipe=recipe, final_recipe=recipe)
        strategy = made.strategy
        if self.first:
            genotypes = first_networks(space.choices, made.evaluator(cross_entropy).facts)
            strategy = partial(WarmStart, strategy=strategy, genotypes=genotypes)
        epochs = recipe.epochs + recipe.finetune_epochs
        return replace(made, strategy=at_fidelity(self.fidelity, strategy, epochs))


SEARCHES = {
    "the whole search": Search(),
    "random instead of evolution": Search(strategy="random"),
    "no networks as made by hand first": Search(first=False),
    "every candidate in full": Search(fidelity="full"),
    "8 bits everywhere": Search(bits=(8,)),
    "4 bits everywhere": Search(bits=(4,)),
    "2 bits everywhere": Search(bits=(2,)),
    "no penalty of coded bits": Search(rate_penalty=0.0),
    "images moved and mirrored": Search(varied=True),
}


@dataclass(frozen=True)
class Outcome:
    """What searches by one seed each found: candidates, bytes and test accuracies."""

    candidates: tuple[int, ...]
    sizes: tuple[float, ...]
    accuracies: tuple[float, ...]

    def row(self, name: str, whole: "Outcome") -> str:
        """The row of the table, with the difference to the whole search in percentage points: "noise"
        where it is below two standard errors.
        """
        cells = (
            name,
            " · ".join(f"{count:,}" for count in self.candidates),
            " · ".join(f"{size:,.0f}" for size in self.sizes),
            " · ".join(f"{accuracy:.4f}" for accuracy in self.accuracies),
            f"{mean(self.accuracies):.4f}",
            self._beside(whole),
        )
        return f"| {' | '.join(cells)} |"

    def _beside(self, whole: "Outcome") -> str:
        if self is whole:
            return ""
        apart = 100 * (mean(self.accuracies) - mean(whole.accuracies))
        if len(self.accuracies) == 1:
            return f"{apart:+.2f}"
        errors = [
            100 * stdev(each.accuracies) / len(each.accuracies) ** 0.5 for each in (self, whole)
        ]
        error = sum(each**2 for each in errors) ** 0.5
        return f"{apart:+.2f} ± {error:.2f}{', noise' if abs(apart) < 2 * error else ''}"


def outcome(
    search: Search, data: Path, task: Task, size_bytes: int, minutes: float, seeds: int
) -> Outcome:
    """What a search finds in so many minutes of processor time for each seed."""
    found = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as out:
            experiment = search.experiment(data, task, size_bytes, seed)
            found.append(searched(experiment, minutes, Path(out)))
    return Outcome(
        tuple(count for count, _ in found),
        tuple(final.metrics["size_bytes"] for _, final in found),
        tuple(final.metrics["test_accuracy"] for _, final in found),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a row for each search as Markdown."""
    parser = argparse.ArgumentParser("python -m benchmarks.ablations", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bytes", type=int, default=1536)
    parser.add_argument("--minutes", type=float, default=30.0, help="of processor time, for each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, help="training images, instead of all")
    parser.add_argument("--only", nargs="+", choices=tuple(SEARCHES), default=tuple(SEARCHES))
    given = parser.parse_args(arguments)
    task = fashion_mnist(given.data).first(given.samples)
    print(f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", sep="\n")
    whole: Outcome | None = None
    for name in given.only:
        made = outcome(SEARCHES[name], given.data, task, given.bytes, given.minutes, given.seeds)
        whole = whole or made
        print(made.row(name, whole), flush=True)


if __name__ == "__main__":
    main()
