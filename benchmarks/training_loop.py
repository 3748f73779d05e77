"""The training loop beside the loop of a textbook, and beside the least that its layers take, on one thread:
`python -m benchmarks.training_loop`, with `--data`, a folder of Fashion-MNIST's files, or synthetic images.

Ratios are medians over rounds in which all that is compared runs, in processor time.
"""

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.profiler import profile
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.gpu import task_of
from benchmarks.quantized_step import BATCH, network, ratios, step
from nas import Recipe, Task
from nas.seeds import seeded
from nas.threads import one_thread
from nas.training.fit import accuracy, cross_entropy, fit
from nas.training.in_place import rectified_in_place
from nas.training.memory_format import to_fastest_format

CANDIDATES = {"plain": "conv3x3", "depthwise": "separable"}
"""Networks of `quantized_step` by the operator of their stages, for images of 28 x 28 pixels."""

LR, TEXTBOOK_LR = 5e-3, 1e-3
KINDS = {
    "convolution": "convolution",
    "batch_norm": "batch normalization",
    "clamp_min": "ReLU",
    "threshold": "ReLU",
    "optimizer": "optimizer",
    "adam": "optimizer",
}
"""Kinds of work by what names of a profile hold; the first that fits counts."""


def textbook(model: nn.Module, task: Task, epochs: int) -> float:
    """Trains as textbooks do, and returns the validation accuracy after the last epoch: batches of a
    `DataLoader`, weights in torch's own order, Adam, and a validation after every epoch.
    """
    train, validation = (
        DataLoader(TensorDataset(split.inputs, split.labels), BATCH, shuffle=shuffle)
        for split, shuffle in ((task.train, True), (task.validation, False))
    )
    optimizer = torch.optim.Adam(model.parameters(), TEXTBOOK_LR)
    right = 0
    for _ in range(epochs):
        model.train()
        for images, labels in train:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        model.eval()
        with torch.no_grad():
            right = sum(
                int((model(images).argmax(1) == labels).sum()) for images, labels in validation
            )
    return right / len(task.validation.labels)


def ours(model: nn.Module, task: Task, epochs: int, validate_every: int = 1) -> float:
    """The same by `fit`."""
    recipe = Recipe(batch_size=BATCH, validate_every=validate_every)
    rng = torch.Generator().manual_seed(0)
    curve = fit(model, task, recipe, epochs=epochs, lr=LR, loss=cross_entropy, generator=rng)
    return curve[-1].accuracy or 0.0


@dataclass(frozen=True)
class Loops:
    """Processor seconds and accuracies of trainings, a list for each loop."""

    seconds: list[list[float]]
    accuracies: list[list[float]]

    def ratio(self, loop: int) -> float:
        """How many times as fast as the first loop."""
        return statistics.median(
            first / other for first, other in zip(self.seconds[0], self.seconds[loop], strict=True)
        )


def compared(operator: str, task: Task, epochs: int, rounds: int) -> Loops:
    """The loop of the textbook, ours with a validation after each epoch, and ours with one at the end."""
    loops: tuple[Callable[[nn.Module], float], ...] = (
        lambda model: textbook(model, task, epochs),
        lambda model: ours(model, task, epochs),
        lambda model: ours(model, task, epochs, validate_every=epochs),
    )
    found = Loops([[] for _ in loops], [[] for _ in loops])
    for number in range(rounds):
        for loop, train in enumerate(loops):
            with seeded(number):
                model = network(operator, task.example.shape[-1])
                start = time.process_time()
                found.accuracies[loop].append(train(model))
                found.seconds[loop].append(time.process_time() - start)
    return found


@dataclass(frozen=True)
class Call:
    """A convolution as it is called: its layer, and the shapes of its input and its output."""

    layer: nn.Conv2d
    inputs: torch.Size
    outputs: torch.Size

    @property
    def operations(self) -> float:
        """Floating-point operations forward, two for each multiply-accumulate."""
        kernel = self.layer.weight[0].numel()
        return 2.0 * self.outputs.numel() * kernel


def calls(model: nn.Module, example: Tensor) -> list[Call]:
    """The convolutions of a network for a batch, in order."""
    found: list[Call] = []

    def note(layer: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)
        found.append(Call(layer, given[0].shape, result.shape))

    hooks = [
        module.register_forward_hook(note)
        for module in model.modules()
        if isinstance(module, nn.Conv2d)
    ]
    model(example)
    for hook in hooks:
        hook.remove()
    return found


def bare_convolutions(found: Sequence[Call]) -> Callable[[], None]:
    """Convolutions alone, forward and backward, of channels-last tensors of the same shapes."""
    order = torch.channels_last
    tensors = [
        (
            torch.rand(call.inputs).contiguous(memory_format=order).requires_grad_(number > 0),
            torch.rand(call.outputs).contiguous(memory_format=order),
        )
        for number, call in enumerate(found)
    ]

    def run() -> None:
        for call, (x, gradient) in zip(found, tensors, strict=True):
            wanted = [call.layer.weight, *([x] if x.requires_grad else [])]
            torch.autograd.grad(call.layer(x), wanted, gradient)

    return run


def products(found: Sequence[Call]) -> Callable[[], None]:
    """Products of matrices with as many operations, and rows and columns as many as pixels and
    channels; depthwise convolutions, which are none, are left out.
    """
    sizes = [
        (
            call.outputs.numel() // call.outputs[1],
            call.layer.weight[0].numel(),
            call.outputs[1],
            3 if number else 2,
        )
        for number, call in enumerate(found)
        if call.layer.groups == 1
    ]
    matrices = [(torch.rand(m, k), torch.rand(k, n), torch.empty(m, n)) for m, k, n, _ in sizes]

    def run() -> None:
        for (left, right, out), (*_, times) in zip(matrices, sizes, strict=True):
            for _ in range(times):
                torch.mm(left, right, out=out)

    return run


def shares(run: Callable[[], None], repeats: int) -> dict[str, float]:
    """The share of a step's time by kind of work."""
    run()
    with profile() as profiled:
        for _ in range(repeats):
            run()
    total: Counter[str] = Counter()
    for event in profiled.key_averages():
        name = event.key.lower()
        kind = next((kind for part, kind in KINDS.items() if part in name), "all else")
        total[kind] += event.self_cpu_time_total
    return {kind: time / total.total() for kind, time in total.most_common()}


def evaluations(operator: str, task: Task, rounds: int) -> tuple[float, list[float]]:
    """The processor seconds of a validation in the batches of `accuracy`, and batches of 64 and 256
    relative to it.
    """
    model = network(operator, task.example.shape[-1]).eval()
    to_fastest_format(model, task.example)
    split = task.first(1024).validation
    inputs = split.inputs[:1024]

    def batches(size: int) -> Callable[[], None]:
        def run() -> None:
            with torch.inference_mode():
                for part in torch.split(inputs, size):
                    model(part.clone())

        return run

    part = replace(split, inputs=inputs, labels=split.labels[:1024])

    def measured() -> None:
        accuracy(model, part)

    return ratios([measured, batches(64), batches(256)], rounds, 1)


def _rows(title: str, *rows: Sequence[str]) -> None:
    print(f"\n{title}")
    for number, row in enumerate(rows):
        print(f"| {' | '.join(row)} |")
        if not number:
            print("|---" * len(row) + "|")


def main() -> None:
    """Prints the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--samples", type=int, default=2_560, help="training images")
    parser.add_argument("--validation", type=int, default=1_280, help="validation images")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    task = task_of(given.data, given.samples)
    kept = slice(given.validation)
    task = replace(
        task,
        validation=replace(
            task.validation,
            inputs=task.validation.inputs[kept],
            labels=task.validation.labels[kept],
        ),
    )
    images, labels = task.train.inputs[:BATCH], task.train.labels[:BATCH]
    loops, limits, profiles, batches = [], [], [], []
    for name, operator in CANDIDATES.items():
        found = compared(operator, task, given.epochs, given.rounds)
        accuracies = [f"{statistics.mean(each):.3f}" for each in found.accuracies]
        trained = given.samples * given.epochs / statistics.median(found.seconds[1])
        loops.append(
            (name, f"{found.ratio(1):.2f}", f"{found.ratio(2):.2f}", f"{trained:,.0f}", *accuracies)
        )

        model = network(operator, images.shape[-1])
        convolutions = calls(model, images)
        operations = sum(
            call.operations * (3 if number else 2) for number, call in enumerate(convolutions)
        )
        whole = step(model, images, labels)
        with rectified_in_place(model, images[:2]):
            seconds, (bare, products_alone) = ratios(
                [whole, bare_convolutions(convolutions), products(convolutions)], given.rounds, 3
            )
            profiles.append((name, shares(whole, 3)))
        limits.append(
            (
                name,
                f"{1e3 * seconds:.1f}",
                f"{operations / seconds / 1e9:.0f}",
                f"{bare:.2f}",
                f"{products_alone:.2f}",
            )
        )
        took, others = evaluations(operator, task, given.rounds)
        batches.append((name, f"{1e3 * took:.0f}", *(f"{other:.2f}" for other in others)))
    _rows(
        "Times as fast as the textbook's loop, and the accuracies of both",
        ("", "validated each epoch", "at the end", "images/s", "textbook", "ours", "ours, at end"),
        *loops,
    )
    _rows(
        "One step, and the share of it that convolutions and matrix products alone take",
        ("", "step, ms", "GFLOP/s", "convolutions", "products"),
        *limits,
    )
    kinds = sorted({kind for _, shared in profiles for kind in shared})
    _rows(
        "Shares of a step",
        ("", *kinds),
        *((name, *(f"{shared.get(kind, 0):.2f}" for kind in kinds)) for name, shared in profiles),
    )
    _rows(
        "A validation of up to 1,024 images, and in other batches",
        ("", "ms", "batches of 64", "of 256"),
        *batches,
    )


if __name__ == "__main__":
    with one_thread():
        main()
