"""Compact networks that were made by hand, trained from scratch: what a search in the same space has to beat.

`python -m benchmarks.baselines --data FOLDER`, a folder of Fashion-MNIST's files; `--only NAME …` makes a table in pieces.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from benchmarks.trained.tasks import fashion_mnist
from compressors import Quantization
from nas import Design, Experiment, Objective, Recipe, Task, run
from nas.training.augmentation import OFF, Augmentation
from nas.training.distil import Teacher
from search_spaces import ConvBlocks
from search_spaces.first_networks import Stage, design
from strategies import RandomSearch, WarmStart

SPACE = ConvBlocks()
COMPRESSORS = (Quantization(weights="lsq"),)
COLUMNS = ("", "bytes", "validation accuracy", "test accuracy", "minutes")


@dataclass(frozen=True)
class Baseline:
    """A network and how it is trained; `taught`: by the same network in floats, trained before it."""

    design: Design
    recipe: Recipe
    taught: bool = False

    def teacher(self, example: Tensor, classes: int) -> nn.Module:
        """The network in floats."""
        return SPACE.build(self.design, example, classes)

    def experiment(self, task: Task, seed: int) -> Experiment:
        """The training of this one candidate."""
        first_one = (SPACE.choices.encode(self.design),)
        teacher = Teacher(build=self.teacher, epochs=self.recipe.epochs) if self.taught else None
        return Experiment(
            space=SPACE,
            compressors=COMPRESSORS,
            task=task,
            recipe=self.recipe,
            objective=Objective(),
            strategy=partial(WarmStart, strategy=RandomSearch, genotypes=first_one),
            trials=1,
            seed=seed,
            teacher=teacher,
        )


def _recipe(
    epochs: int, finetune_epochs: int, lr: float, augmentation: Augmentation = OFF
) -> Recipe:
    return Recipe(
        epochs=epochs,
        finetune_epochs=finetune_epochs,
        lr=lr,
        finetune_lr=lr / 2,
        augmentation=augmentation,
    )


LARGEST: tuple[Stage, ...] = (
    (16, "pool", "conv3x3"),
    (32, "pool"),
    (48, "none", "conv3x3", "separable3x3"),
)
SMALL: tuple[Stage, ...] = ((8, "pool", "conv3x3"), (12, "pool"), (16, "none"))

BASELINES = {
    "16kB": Baseline(design(3, *LARGEST), _recipe(11, 3, 1e-2, Augmentation(flip=True))),
    "16kB-taught": Baseline(
        design(3, *LARGEST), _recipe(34, 7, 1e-2, Augmentation(shift=2, flip=True)), taught=True
    ),
    "6kB": Baseline(
        design(3, (12, "pool", "conv3x3"), (24, "pool"), (32, "none", "separable3x3")),
        _recipe(18, 6, 1.5e-2),
    ),
    "2.8kB": Baseline(
        design(3, (8, "pool", "conv3x3"), (16, "pool"), (24, "none", "separable3x3")),
        _recipe(24, 8, 2e-2),
    ),
    **{
        f"1.5kB-{bits}bits": Baseline(design(bits, *SMALL), _recipe(24, 8, 2e-2))
        for bits in (8, 4, 3, 2)
    },
    "0.7kB": Baseline(
        design(2, (6, "pool", "conv3x3"), (8, "pool"), (12, "none")), _recipe(24, 8, 2e-2)
    ),
}


def row(name: str, baseline: Baseline, task: Task, seed: int, out: Path) -> str:
    """The row of a baseline, as Markdown, from a run in the directory `out`: accuracies are those of the
    packed file, loaded again, and minutes are of processor time, its teacher's included.

    Raises:
        RuntimeError: if its evaluation failed.
    """
    start = time.process_time()
    result = run(baseline.experiment(task, seed), out)
    minutes = (time.process_time() - start) / 60
    if result.best is None:
        raise RuntimeError(f"{name} must give a file, but failed: {result.evaluations[0].reason}")
    metrics = result.best.metrics
    cells = f"{metrics['size_bytes']:,.0f}", f"{metrics['accuracy']:.4f}"
    return _line(name, *cells, f"{result.test_accuracy:.4f}", f"{minutes:.1f}")


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a row for each baseline as Markdown."""
    parser = argparse.ArgumentParser("python -m benchmarks.baselines", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=tuple(BASELINES), default=tuple(BASELINES))
    parser.add_argument("--samples", type=int, help="training images, instead of all")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    task = fashion_mnist(given.data).first(given.samples)
    print(_line(*COLUMNS), f"{'|---' * len(COLUMNS)}|", sep="\n")
    for name in given.only:
        with tempfile.TemporaryDirectory() as out:
            print(row(name, BASELINES[name], task, given.seed, Path(out)), flush=True)


if __name__ == "__main__":
    main()
