"""What is lost without labels and without training at numbers of bytes, and in what time.

`python -m benchmarks.post_training --data FOLDER`: the ResNet-8 of benchmarks.compress on Fashion-MNIST. Times are of a
processor, as ratios to four epochs of training it in floats.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.trained.baselines import CALIBRATION
from benchmarks.trained.cases import CASES
from benchmarks.trained.floats import epoch_seconds, floating
from benchmarks.trained.table import Table, heading
from compressors import Quantization, allocate, reconstruct
from compressors.allocation.allocate import BITS
from nas.layers import named_layers
from nas.lowering import lower, snapped
from nas.packed import pack
from nas.space import Choice, Choices
from nas.threads import one_thread
from nas.training.fit import accuracy


def joint(model: nn.Module, images: Tensor, size: int) -> nn.Module:
    """Widths, bits, sparsity and ranks."""
    return allocate(model, images[:CALIBRATION], size_bytes=size).model


def bits(
    model: nn.Module, images: Tensor, size: int, method: Quantization | None = None
) -> nn.Module:
    """Bits alone."""
    choices = Choices(Choice(name, "bits", BITS) for name in named_layers(model))
    few = images[:CALIBRATION]
    return allocate(model, few, size_bytes=size, choices=choices, method=method).model


def reconstructed(model: nn.Module, images: Tensor, size: int) -> nn.Module:
    """Bits alone, with learned rounding."""
    order = torch.Generator().manual_seed(0)
    return reconstruct(bits(model, images, size), model, images, generator=order)


METHODS: Mapping[str, Callable[[nn.Module, Tensor, int], nn.Module]] = {
    "allocate": joint,
    "bits alone": bits,
    "bits alone, mse": partial(bits, method=Quantization(weights="mse")),
    "bits alone, affine_mse": partial(bits, method=Quantization(weights="affine_mse")),
    "bits alone, reconstructed": reconstructed,
}


def packed(quantized: nn.Module, images: Tensor) -> bytes:
    """The file of a quantized network."""
    return pack(lower(snapped(quantized), images[:CALIBRATION]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a row for each seed, size and method as Markdown."""
    parser = argparse.ArgumentParser("python -m benchmarks.post_training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--bytes", type=int, nargs="+", default=[19_884, 13_250])
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=tuple(METHODS))
    parser.add_argument("--weights", type=Path, help="folder of weights: read, or else written")
    given = parser.parse_args(arguments)
    case = CASES["resnet8"]
    print(heading())
    with one_thread():
        task = case.task(given.data)
        for seed in range(given.seeds):
            path = given.weights and given.weights / f"resnet8-seed{seed}.safetensors"
            model, images = floating(case, task, seed, path), task.train.inputs
            table = Table(task, accuracy(model, task.test), epoch_seconds(case, task, seed))
            for size in given.bytes:
                for name in given.methods:

                    def made(name: str = name, size: int = size) -> bytes:
                        return packed(METHODS[name](model, images, size), images)  # noqa: B023 - called at once

                    print(table.row(f"seed {seed}, {name}, {size:,} bytes", made), flush=True)


if __name__ == "__main__":
    main()
