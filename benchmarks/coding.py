"""What range coding takes off the file of a quantized network, and what a penalty on the rate takes off again.

`python -m benchmarks.coding --data FOLDER`, a folder of Fashion-MNIST's files or others in their format. LeNet-300-100, or with
`--network resnet8` the one of benchmarks.compress, is trained on the first 12,000 images, or read from `--state`, quantized and
trained on. Times are of a processor, the fastest of three, as ratios to the same with Huffman codes.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.trained.baselines import CALIBRATION, LABEL_WEIGHT, TEMPERATURE
from benchmarks.trained.networks import lenet_300_100, resnet8
from compressors import quantize, sparsify_globally
from nas.data import Task, hold_out, read_mnist
from nas.lowering import lower, snapped
from nas.packed import pack, unpack
from nas.packed.encodings import encode
from nas.program import Program, score
from nas.program.operations import Layer
from nas.seeds import generator, seeded
from nas.threads import one_thread
from nas.training.distil import Distillation
from nas.training.fit import accuracy, cross_entropy, fit
from nas.training.rate import with_rate_penalty
from nas.training.recipe import Recipe

RECIPE = Recipe(epochs=12, finetune_epochs=4, finetune_lr=2e-3)
HUFFMAN = 4
"""The last version without range coders."""


def trained(task: Task, network: str, state: Path | None) -> nn.Module:
    """The network, trained in floats, or as it was stored."""
    with seeded(0):
        model = (
            resnet8(task.example.shape[1], task.classes)
            if network == "resnet8"
            else lenet_300_100(task.example.shape[1], task.classes)
        )
    if state is not None:
        model.load_state_dict(torch.load(state, weights_only=True))
    else:
        shuffle = torch.Generator().manual_seed(0)
        epochs, lr = RECIPE.epochs, RECIPE.lr
        fit(model, task, RECIPE, epochs=epochs, lr=lr, loss=cross_entropy, generator=shuffle)
    return model.eval()


def compressed(
    model: nn.Module, task: Task, bits: int, epochs: int, rate: float, sparsity: float
) -> Program:
    """The program after so many epochs of quantized training by the network's own answers."""
    images = task.train.inputs[:CALIBRATION]
    sparse = sparsify_globally(model, sparsity, images) if sparsity > 0 else model
    quantized = quantize(sparse, bits, images)
    loss = Distillation(model, task.train.inputs, LABEL_WEIGHT, TEMPERATURE)
    fit(
        quantized,
        task,
        RECIPE,
        epochs=epochs,
        lr=RECIPE.finetune_lr,
        loss=with_rate_penalty(loss, quantized, rate),
        generator=torch.Generator().manual_seed(0),
    )
    return lower(snapped(quantized), images)


def entropy_bytes(program: Program) -> float:
    """The entropy of the levels of each layer, in bytes."""
    total = 0.0
    for layer in program.operations:
        if isinstance(layer, Layer):
            shares = np.unique(layer.weights.values, return_counts=True)[1] / layer.weights.size
            total -= float((shares * np.log2(shares)).sum()) * layer.weights.size / 8
    return total


def coded_bytes(program: Program, newest: int) -> int:
    """The bytes of all weights, with the coders of versions up to `newest`."""
    layers = [layer.weights for layer in program.operations if isinstance(layer, Layer)]
    return sum(len(encode(layer.values, layer.bits, newest).data) for layer in layers)


def seconds(action: Callable[[], object]) -> float:
    """The least processor time of three."""
    found = []
    for _ in range(3):
        start = time.process_time()
        action()
        found.append(time.process_time() - start)
    return min(found)


def row(name: str, program: Program, task: Task, timed: bool = False) -> None:
    """Prints the bytes of weights and files with Huffman codes and with range coders, and the test
    accuracy of the file.
    """
    before, after = pack(program, newest=HUFFMAN), pack(program)
    cells = [
        f"{coded_bytes(program, HUFFMAN):,}",
        f"{entropy_bytes(program):,.0f}",
        f"{coded_bytes(program, after[4]):,}",
        f"{len(before):,}",
        f"{len(after):,}",
        f"{len(after) / len(before) - 1:+.1%}",
        f"{score(unpack(after), task.test):.4f}",
    ]
    if timed:
        packing = seconds(lambda: pack(program)) / seconds(lambda: pack(program, newest=HUFFMAN))
        loading = seconds(lambda: unpack(after)) / seconds(lambda: unpack(before))
        cells += [f"{packing:.0f}, {loading:.0f}"]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a row for each number of bits, for each penalty, and for a long layer."""
    parser = argparse.ArgumentParser("python -m benchmarks.coding", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--network", choices=("lenet", "resnet8"), default="lenet")
    parser.add_argument("--state", type=Path, help="a trained state_dict, saved by torch")
    parser.add_argument("--samples", type=int, default=12_000, help="training images")
    parser.add_argument("--epochs", type=int, default=4, help="of quantized training")
    parser.add_argument("--bits", type=int, nargs="+", default=[1, 2, 3, 4, 8])
    parser.add_argument("--sparsity", type=float, default=0.9, help="of one row with 4 bits")
    parser.add_argument("--rates", type=float, nargs="*", default=[0.03, 0.1, 0.3])
    given = parser.parse_args(arguments)
    train, test = read_mnist(given.data)
    whole = hold_out(given.data.name, train, test, 10, generator(0, "split"))
    task = whole.first(given.samples)
    with one_thread():
        model = trained(task, given.network, given.state)
        print(f"{given.network}, test accuracy in floats {accuracy(model, task.test):.4f}")
        print(
            "| | weights, Huffman | entropy | weights, range | file, Huffman | file, range | | test accuracy | pack, load |\n"
            "|---|---|---|---|---|---|---|---|---|"
        )
        for bits in given.bits:
            row(f"{bits} bits", compressed(model, task, bits, given.epochs, 0.0, 0.0), task, True)
        sparse = compressed(model, task, 4, given.epochs, 0.0, given.sparsity)
        row(f"4 bits, {given.sparsity:.0%} zeros", sparse, task, True)
        for bits in (2, 3):
            for rate in given.rates:
                program = compressed(model, task, bits, given.epochs, rate, 0.0)
                row(f"{bits} bits, `rate_penalty={rate:g}`", program, task)


if __name__ == "__main__":
    main()
