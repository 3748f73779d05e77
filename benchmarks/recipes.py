"""What each setting of a recipe does to the test accuracy of one network, one at a time.

`python -m benchmarks.recipes --network conv_10k --data FOLDER`, a folder of Fashion-MNIST's files or others in their format.
Each row changes one setting of the reference, which trains with today's defaults; the last is `recipe_for` the network. The
same seeds train all rows. A difference below two standard errors of itself is called noise.
"""

import argparse
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from benchmarks.trained.floats import lightly_validated
from benchmarks.trained.networks import resnet8
from benchmarks.trained.tasks import fashion_mnist
from nas.data import Task
from nas.seeds import seeded
from nas.space import Design
from nas.threads import one_thread
from nas.training.augmentation import AUGMENTATIONS
from nas.training.fit import accuracy, cross_entropy, fit
from nas.training.recipe import Recipe
from nas.training.recipe_for import recipe_for
from search_spaces.conv_stages import ConvStages

Build = Callable[[int, int], nn.Module]


def plain(width: int, channels: int, classes: int) -> nn.Module:
    """A stem and three plain convolutions of `width` channels."""
    stage = {"op": "conv3x3", "width": width, "depth": 1}
    design = Design(
        {f"stage{i}.{kind}": option for i in range(3) for kind, option in stage.items()}
    )
    return ConvStages().build(design, torch.zeros(1, channels, 8, 8), classes)


NETWORKS: Mapping[str, Build] = {
    "conv_3k": partial(plain, 10),
    "conv_10k": partial(plain, 21),
    "conv_50k": partial(plain, 50),
    "resnet8": resnet8,
}


VALUES: Mapping[str, tuple[str, Sequence[float]]] = {
    "lr": ("learning rate", (5e-3, 1e-2, 2e-2)),
    "weight_decay": ("weight decay", (0.0, 1e-2, 1e-1)),
    "batch_size": ("batches of", (32, 64, 128)),
    "label_smoothing": ("label smoothing", (0.0, 0.05, 0.1)),
    "ema": ("averaged weights, decay", (0.0, 0.99, 0.999)),
}
"""What is tried for each setting that is a number; that of the reference has no row."""


def rows(reference: Recipe, parameters: int, task: Task) -> dict[str, Recipe]:
    """The recipes of the table by name, the reference first."""
    changed = {
        f"{label} {value:g}": replace(reference, **{field: value})  # type: ignore[arg-type]
        for field, (label, values) in VALUES.items()
        for value in values
    }
    for name, augmentation in AUGMENTATIONS.items():
        changed[f"augmentation {name}"] = replace(reference, augmentation=augmentation)
    fitted = replace(
        recipe_for(parameters, task, epochs=reference.epochs),
        finetune_epochs=reference.finetune_epochs,
        validate_every=reference.validate_every,
    )
    differing = {name: recipe for name, recipe in changed.items() if recipe != reference}
    return {"reference": reference, **differing, f"recipe_for({parameters:,})": fitted}


def scored(build: Build, task: Task, recipe: Recipe, seed: int) -> float:
    """The test accuracy of the network trained by a recipe, in percent."""
    with seeded(seed):
        model = build(task.example.shape[1], task.classes)
    shuffle = torch.Generator().manual_seed(seed)
    light = lightly_validated(task)
    lr, epochs = recipe.lr, recipe.epochs
    fit(model, light, recipe, epochs=epochs, lr=lr, loss=cross_entropy, generator=shuffle)
    return 100.0 * accuracy(model, task.test)


def standard_error(values: Sequence[float]) -> float:
    """That of the mean; NaN for one value."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def line(name: str, values: Sequence[float], reference: Sequence[float]) -> str:
    """A row: mean ± standard error, and the difference to the reference with its own, which is "noise"
    below two of them.
    """
    mean, error = statistics.mean(values), standard_error(values)
    cells = [name, f"{mean:.2f} ± {error:.2f}"]
    if values is not reference:
        apart = mean - statistics.mean(reference)
        unsure = math.hypot(error, standard_error(reference))
        # With one seed nothing is known about the error.
        verdict = "one seed" if math.isnan(unsure) else "noise" if abs(apart) < 2 * unsure else ""
        cells += [f"{apart:+.2f} ± {unsure:.2f}", verdict]
    return f"| {' | '.join([*cells, '', ''][:4])} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a row for each recipe as Markdown."""
    parser = argparse.ArgumentParser("python -m benchmarks.recipes", description=__doc__)
    parser.add_argument("--network", choices=tuple(NETWORKS), default="conv_10k")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, help="training images; by default all")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lr", type=float, default=Recipe().lr, help="of the reference")
    given = parser.parse_args(arguments)
    build = NETWORKS[given.network]
    with one_thread():
        task = fashion_mnist(given.data).first(given.samples)
        model = build(task.example.shape[1], task.classes)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        reference = Recipe(
            epochs=given.epochs, finetune_epochs=0, lr=given.lr, validate_every=given.epochs
        )
        print(
            f"{given.network}, {parameters:,} parameters, {len(task.train.labels):,} images, ",
            end="",
        )
        print(f"{given.epochs} epochs, {given.seeds} seeds\n")
        print("| recipe | test accuracy, % | to the reference | |\n|---|---|---|---|")
        found: list[float] = []
        for name, recipe in rows(reference, parameters, task).items():
            values = [scored(build, task, recipe, seed) for seed in range(given.seeds)]
            found = found or values
            print(line(name, values, found), flush=True)


if __name__ == "__main__":
    main()
