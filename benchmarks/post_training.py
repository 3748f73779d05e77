"""What is lost without labels and without training at numbers of bytes, and in what time.

`python -m benchmarks.post_training --data FOLDER`: the network and the data of benchmarks.compress.
"""

import argparse
import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.compress import CALIBRATION, RECIPE, trained
from compressors import Quantization, allocate, reconstruct, reconstruct_to
from nas.data import Split, hold_out, read_mnist
from nas.lowering import lower, snapped
from nas.packed import pack, unpack
from nas.program import score
from nas.quantize import correct_biases
from nas.seeds import generator
from nas.threads import one_thread
from nas.training.fit import accuracy

STATISTICS = 1024


def plain(model: nn.Module, images: Tensor, size: int) -> bytes:
    """Allocated bits, and nothing else."""
    return _packed(allocate(model, images[:CALIBRATION], size_bytes=size).model, images)


def least_error(model: nn.Module, images: Tensor, size: int) -> bytes:
    """The same with steps of least squared error."""
    method = Quantization(weights="mse")
    found = allocate(model, images[:CALIBRATION], size_bytes=size, method=method)
    return _packed(found.model, images)


def biases(model: nn.Module, images: Tensor, size: int) -> bytes:
    """Allocated bits and corrected biases."""
    found = allocate(model, images[:CALIBRATION], size_bytes=size)
    correct_biases(found.model, model, images[:STATISTICS])
    return _packed(found.model, images)


def statistics(model: nn.Module, images: Tensor, size: int) -> bytes:
    """Allocated bits, and channels with the means and spreads of the float network."""
    order = torch.Generator().manual_seed(0)
    found = allocate(model, images[:CALIBRATION], size_bytes=size)
    return _packed(reconstruct(found.model, model, images, generator=order, steps=0), images)


def reconstructed(model: nn.Module, images: Tensor, size: int) -> bytes:
    """`reconstruct_to` with its own settings."""
    order = torch.Generator().manual_seed(0)
    return reconstruct_to(model, size_bytes=size, images=images, generator=order).packed


METHODS: Mapping[str, Callable[[nn.Module, Tensor, int], bytes]] = {
    "allocate": plain,
    "allocate, steps of least squared error": least_error,
    "allocate, biases corrected": biases,
    "allocate, means and spreads matched": statistics,
    "reconstruct_to": reconstructed,
}


def _packed(quantized: nn.Module, images: Tensor) -> bytes:
    return pack(lower(snapped(copy.deepcopy(quantized)), images[:CALIBRATION]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a row for each seed, size and method as Markdown."""
    parser = argparse.ArgumentParser("python -m benchmarks.post_training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=12_000, help="training images")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--bytes", type=int, nargs="+", default=[19_884, 13_250])
    given = parser.parse_args(arguments)
    train, test = read_mnist(given.data)
    whole = hold_out(given.data.name, train, test, 10, generator(0, "split"))
    few = Split(whole.train.inputs[: given.samples], whole.train.labels[: given.samples])
    task = replace(whole, train=few)
    print("| | bytes | test accuracy | points lost | time of four epochs |\n|---|---|---|---|---|")
    with one_thread():
        for seed in range(given.seeds):
            start = time.process_time()
            model = trained(task, seed)
            four_epochs = 4 * (time.process_time() - start) / RECIPE.epochs
            floating = accuracy(model, task.test)
            print(f"| seed {seed}, floats | | {floating:.4f} | | |", flush=True)
            for size in given.bytes:
                for name, method in METHODS.items():
                    start = time.process_time()
                    packed = method(model, few.inputs, size)
                    ratio = (time.process_time() - start) / four_epochs
                    found = score(unpack(packed), task.test)
                    lost = 100 * (floating - found)
                    print(
                        f"| {name}, {size:,} bytes | {len(packed):,} | {found:.4f} | {lost:+.2f} | {ratio:.2f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
