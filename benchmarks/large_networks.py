"""What large networks take from floats to the file and back: seconds for each million weights.

A network like VGG-16 (Simonyan and Zisserman, 2015) with random weights, most of which are in its first linear layer. "Bytes" are
those that a step reads and writes at least, for each weight, and "limit" the seconds that copying so many takes here.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from compressors import quantize
from nas.lowering import lower, snapped
from nas.onnx import to_onnx
from nas.packed import pack, unpack
from nas.seeds import seeded
from nas.threads import one_thread

SIDE, COPIED = 56, 2**28
COLUMNS = "million weights", "bits", "step", "seconds a million", "bytes a weight", "limit"


def network(hidden: int) -> nn.Module:
    """Three convolutions to 512 maps of 7x7, and linear layers of `hidden` and half as many units."""
    convolutions = [
        *(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4)),
        *(nn.Conv2d(64, 512, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(512, 512, 3, padding=1), nn.ReLU(), nn.Flatten()),
    ]
    head = [
        *(nn.Linear(512 * 49, hidden), nn.ReLU()),
        *(nn.Linear(hidden, hidden // 2), nn.ReLU(), nn.Linear(hidden // 2, 10)),
    ]
    return nn.Sequential(*convolutions, *head).eval()


def seconds_a_byte() -> float:
    """The processor time that copying takes, for each byte that is read or written."""
    source, target = np.ones(COPIED, np.uint8), np.zeros(COPIED, np.uint8)
    start = time.process_time()
    np.copyto(target, source)
    return (time.process_time() - start) / (2 * COPIED)


@one_thread()
def print_rows(hidden: int, bits: int) -> None:
    """Prints a row for each step."""
    with seeded(0):
        made, images = network(hidden), torch.rand(8, 3, SIDE, SIDE)
    millions = sum(parameter.numel() for parameter in made.parameters()) / 1e6
    copying, held = seconds_a_byte() * 1e6, dict[str, Any]()
    packed = bits / 8
    steps: tuple[tuple[str, float, Callable[[], Any]], ...] = (
        ("quantize", 8, lambda: quantize(made, bits, images)),
        ("snap", 8, lambda: snapped(held["quantize"])),
        ("lower", 5, lambda: lower(held["snap"], images)),
        ("pack", 1 + packed, lambda: pack(held["lower"])),
        ("unpack", 1 + packed, lambda: unpack(held["pack"])),
        ("to_onnx", 2, lambda: to_onnx(held["unpack"])),
    )
    for name, moved, step in steps:
        start = time.process_time()
        held[name] = step()
        taken = (time.process_time() - start) / millions
        cells = f"{millions:.1f}", str(bits), name, f"{taken:.4f}", f"{moved:.1f}"
        print(f"| {' | '.join(cells)} | {moved * copying:.4f} |", flush=True)


def main() -> None:
    """Prints a table for each bit-width."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=2048, help="2048 is 56 million weights")
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 4, 2])
    given = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for bits in given.bits:
        print_rows(given.hidden, bits)


if __name__ == "__main__":
    main()
