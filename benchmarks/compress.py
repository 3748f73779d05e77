"""A trained residual network compressed to numbers of bytes: bits allocated to layers, beside the same bits in all of them.

`python -m benchmarks.compress --data FOLDER`, a folder of Fashion-MNIST's files or others in their format. The network, of the
shape of MLPerf Tiny's ResNet-8 for one channel, is trained here on the first 12,000 images.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from compressors import allocate, compress_to, quantize
from nas.data import Split, Task, hold_out, read_mnist
from nas.lowering import lower, snapped
from nas.packed import pack, unpack
from nas.program import score
from nas.seeds import generator, seeded
from nas.threads import one_thread
from nas.training.distil import Distillation
from nas.training.fit import accuracy, cross_entropy, fit
from nas.training.recipe import Recipe

CALIBRATION = 256
RECIPE = Recipe(epochs=12, finetune_epochs=4, finetune_lr=2e-3)


class Block(nn.Module):
    """Two convolutions and a shortcut, which has a convolution of its own where shapes change."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        body = [*_convolution(inputs, outputs, 3, stride), nn.ReLU()]
        self.body = nn.Sequential(*body, *_convolution(outputs, outputs, 3, 1))
        changes = inputs != outputs or stride > 1
        shortcut = _convolution(inputs, outputs, 1, stride) if changes else [nn.Identity()]
        self.shortcut, self.relu = nn.Sequential(*shortcut), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, outputs, H / stride, W / stride] of [N, inputs, H, W]."""
        result: Tensor = self.relu(self.body(x) + self.shortcut(x))
        return result


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return [layer, nn.BatchNorm2d(outputs)]


def resnet8(channels: int, classes: int) -> nn.Module:
    """A stem of 16 channels, three blocks of 16, 32 and 64, and a head: 77,754 parameters for one
    channel and ten classes.
    """
    model = nn.Sequential()
    model.add_module("stem", nn.Sequential(*_convolution(channels, 16, 3, 1), nn.ReLU()))
    for number, (inputs, outputs, stride) in enumerate(((16, 16, 1), (16, 32, 2), (32, 64, 2))):
        model.add_module(f"block{number}", Block(inputs, outputs, stride))
    model.add_module("pool", nn.AdaptiveAvgPool2d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(64, classes))
    return model


def trained(task: Task, seed: int) -> nn.Module:
    """The network, trained in floats."""
    with seeded(seed):
        model = resnet8(task.example.shape[1], task.classes)
    shuffle = torch.Generator().manual_seed(seed)
    fit(
        model,
        task,
        RECIPE,
        epochs=RECIPE.epochs,
        lr=RECIPE.lr,
        loss=cross_entropy,
        generator=shuffle,
    )
    return model.eval()


def uniform(model: nn.Module, task: Task, bits: int, seed: int) -> bytes:
    """The file with the same bits in all layers, trained as `compress_to` trains."""
    images = task.train.inputs[:CALIBRATION]
    quantized = quantize(model, bits, images)
    loss, shuffle = (
        Distillation(model, task.train.inputs, 0.5, 4.0),
        torch.Generator().manual_seed(seed),
    )
    epochs, lr = RECIPE.finetune_epochs, RECIPE.finetune_lr
    fit(quantized, task, RECIPE, epochs=epochs, lr=lr, loss=loss, generator=shuffle)
    return pack(lower(snapped(quantized), images))


def row(name: str, packed: bytes, task: Task, floating: float, seconds: float) -> None:
    """Prints bytes, test accuracy of the loaded file, points lost, and minutes of processor time."""
    found = score(unpack(packed), task.test)
    lost = 100 * (floating - found)
    print(
        f"| {name} | {len(packed):,} | {found:.4f} | {lost:+.2f} | {seconds / 60:.2f} |", flush=True
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a row for each seed and method as Markdown."""
    parser = argparse.ArgumentParser("python -m benchmarks.compress", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=12_000, help="training images")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--bytes", type=int, nargs="+", default=[19_884, 13_250])
    parser.add_argument("--bits", type=int, nargs="+", default=[3, 2], help="of all layers alike")
    given = parser.parse_args(arguments)
    train, test = read_mnist(given.data)
    whole = hold_out(given.data.name, train, test, 10, generator(0, "split"))
    few = Split(whole.train.inputs[: given.samples], whole.train.labels[: given.samples])
    task = replace(whole, train=few)
    print("| | bytes | test accuracy | points lost | minutes |\n|---|---|---|---|---|")
    with one_thread():
        for seed in range(given.seeds):
            start = time.process_time()
            model = trained(task, seed)
            floating, spent = accuracy(model, task.test), time.process_time() - start
            print(f"| seed {seed}, floats | | {floating:.4f} | | {spent / 60:.2f} |", flush=True)
            for bits in given.bits:
                start = time.process_time()
                packed = uniform(model, task, bits, seed)
                row(
                    f"{bits} bits in all layers",
                    packed,
                    task,
                    floating,
                    time.process_time() - start,
                )
            for size in given.bytes:
                start = time.process_time()
                found = allocate(model, few.inputs[:CALIBRATION], size_bytes=size)
                packed = pack(lower(snapped(found.model), few.inputs[:CALIBRATION]))
                spent = time.process_time() - start
                row(f"allocated, {size:,} bytes, not trained", packed, task, floating, spent)
                start, shuffle = time.process_time(), torch.Generator().manual_seed(seed)
                compressed = compress_to(
                    model, size_bytes=size, images=few.inputs, labels=few.labels, generator=shuffle
                )
                spent = time.process_time() - start
                row(f"compress_to, {size:,} bytes", compressed.packed, task, floating, spent)


if __name__ == "__main__":
    main()
