"""Trained networks compressed to numbers of bytes: `compress_to` beside what is done by hand.

`python -m benchmarks.compress --data FOLDER`, a folder of Fashion-MNIST's files or others in their format; with `--network
mobilenet_v2` or `resnet18` one that holds CIFAR-10 (JPEG q75). With `--weights FOLDER` a network is trained once and then
read from there, so that `--methods` makes a table in pieces.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.trained.cases import CASES, Case
from benchmarks.trained.floats import epoch_seconds, floating
from benchmarks.trained.methods import METHODS, Subject
from benchmarks.trained.table import Table, heading
from nas.data import Task
from nas.threads import one_thread
from nas.training.fit import accuracy

BY_HAND = ((0.25, 4), (0.5, 3), (0.5, 2))


def print_table(
    case: Case, task: Task, given: argparse.Namespace, seed: int, weights: Path | None
) -> None:
    """Prints the rows of one seed."""
    start = time.process_time()
    model = floating(case, task, seed, weights)
    spent = time.process_time() - start
    table = Table(task, accuracy(model, task.test), epoch_seconds(case, task, seed))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(table.floats(f"seed {seed}, floats", parameters, spent), flush=True)
    recipe = case.recipe
    if given.finetune_epochs is not None:
        recipe = replace(recipe, finetune_epochs=given.finetune_epochs)
    subject = Subject(
        model=model,
        task=task,
        recipe=recipe,
        sizes=tuple(given.bytes or case.sizes),
        bits=tuple(given.bits),
        by_hand=BY_HAND,
        trials=given.trials,
        seed=seed,
    )
    for method in given.methods:
        for name, make in METHODS[method](subject):
            print(table.row(name, make), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a row for each seed and method as Markdown."""
    parser = argparse.ArgumentParser("python -m benchmarks.compress", description=__doc__)
    parser.add_argument("--network", choices=tuple(CASES), default="resnet8")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, help="training images, instead of the network's own")
    parser.add_argument("--epochs", type=int, help="of training in floats, likewise")
    parser.add_argument("--finetune-epochs", type=int, help="after pruning or quantization")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--bytes", type=int, nargs="+", help="budgets of the file")
    parser.add_argument("--bits", type=int, nargs="+", default=[4, 3, 2, 1], help="in all layers")
    parser.add_argument("--trials", type=int, default=50, help="of the random search")
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=tuple(METHODS))
    parser.add_argument("--weights", type=Path, help="folder of weights: read, or else written")
    given = parser.parse_args(arguments)
    case = CASES[given.network]
    if given.epochs is not None:
        case = replace(case, recipe=replace(case.recipe, epochs=given.epochs))
    case = replace(case, samples=given.samples or case.samples)
    print(heading())
    with one_thread():
        task = case.task(given.data)
        for seed in range(given.seeds):
            name = f"{given.network}-seed{seed}.safetensors"
            print_table(case, task, given, seed, given.weights and given.weights / name)


if __name__ == "__main__":
    main()
