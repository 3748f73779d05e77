"""Networks as C: what was predicted of flash and memory beside what is compiled, and how fast they are.

Flash is that of model.o for a Cortex-M4, apart from the caller and the C library: .rodata, and code. Instructions are those of one
inference, counted by QEMU with -icount, one for each instruction whatever it takes. The time on this host is one of a thread, as a
ratio to ONNX Runtime's kernels of 8-bit integers in the same rounds; -O3 -march=native, since that also uses all of the processor.
"""

import argparse
import ctypes
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from compressors import quantize
from nas.c import write_c
from nas.c.cortex_m import COMPILER, CORES, instructions, missing
from nas.c.host import checked, compiler
from nas.lowering import lower
from nas.measure.host import bind_to_sample, host_description
from nas.onnx import to_onnx
from nas.packed import flash_bytes, pack
from nas.program import Program
from nas.threads import one_thread

ROUNDS, SECONDS = 31, 2e-3
HEADER = re.compile(r"#define MODEL_(ARENA|SCRATCH)_BYTES (\d+)")
COLUMNS = (
    *("network", "bits", "C", "file", "flash_bytes", ".rodata", "code"),
    *("peak_memory", "arena", "beside it", "time / ONNX Runtime", "instructions", "for each MAC"),
)


def convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """A convolution of 3 x 3 pixels with normalization and rectifier."""
    conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


def separable(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """A depthwise convolution and one of single pixels."""
    depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
    single = nn.Conv2d(inputs, outputs, 1, bias=False)
    return [
        *(depthwise, nn.BatchNorm2d(inputs), nn.ReLU()),
        *(single, nn.BatchNorm2d(outputs), nn.ReLU()),
    ]


def head(inputs: int) -> list[nn.Module]:
    """The mean of each channel, and a linear layer."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10)]


Shape = tuple[int, ...]
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "digits": (
        lambda: nn.Sequential(*convolution(1, 8), *convolution(8, 16, 2), *head(16)),
        (1, 8, 8),
    ),
    "perceptron": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10)),
        (1, 28, 28),
    ),
    "convolutions": (
        lambda: nn.Sequential(
            *(*convolution(1, 16), nn.MaxPool2d(2), *convolution(16, 32), nn.MaxPool2d(2)),
            *(*convolution(32, 32), nn.Flatten(), nn.Linear(32 * 7 * 7, 10)),
        ),
        (1, 28, 28),
    ),
    "separable": (
        lambda: nn.Sequential(
            *(*convolution(3, 16), *separable(16, 32, 2), *separable(32, 64, 2)),
            *(*separable(64, 64), *head(64)),
        ),
        (3, 32, 32),
    ),
}


@dataclass(frozen=True)
class Built:
    """What the compiler makes of model.c: bytes of constants and of code, on a Cortex-M4."""

    constants: int
    code: int


def built(folder: Path) -> Built:
    """The sections of model.o."""
    target = folder / "model.o"
    flags = ["-mcpu=cortex-m4", "-mthumb", "-std=c99", "-O2", "-c"]
    checked([COMPILER, *flags, str(folder / "model.c"), "-o", str(target)])
    said = checked([COMPILER.replace("gcc", "size"), "-A", str(target)]).decode()
    sizes = {name: int(size) for name, size in re.findall(r"^(\.\S+)\s+(\d+)", said, re.MULTILINE)}
    constants = sum(size for name, size in sizes.items() if name.startswith(".rodata"))
    return Built(constants, sum(size for name, size in sizes.items() if name.startswith(".text")))


def time_ratio(program: Program, folder: Path) -> float:
    """The time of the C for one sample relative to ONNX Runtime's, the median over rounds of both."""
    library = folder / "model.so"
    flags = ["-std=c99", "-O3", "-march=native", "-shared", "-fPIC"]
    checked([compiler() or "cc", *flags, str(folder / "model.c"), "-o", str(library)])
    run, first, last = ctypes.CDLL(str(library)).model_run, program.tensors[0], program.tensors[-1]
    given = np.random.default_rng(0).integers(0, first.top + 1, first.size).astype(np.uint8)
    output = np.zeros(last.size, np.uint8)
    pointers = ctypes.c_void_p(given.ctypes.data), ctypes.c_void_p(output.ctypes.data)
    contestants = (lambda: run(*pointers), bind_to_sample(to_onnx(program, fused=True)))
    counts = [max(1, int(SECONDS / seconds(call, 20))) for call in contestants]
    rounds = [
        [seconds(call, count) for call, count in zip(contestants, counts, strict=True)]
        for _ in range(ROUNDS)
    ]
    return float(np.median([ours / theirs for ours, theirs in rounds]))


def seconds(call: Callable[[], object], count: int) -> float:
    """The seconds of one call."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


@one_thread()
def main() -> None:
    """Prints a table of all networks, with few bits and with 8."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bits", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--networks", nargs="+", choices=[*NETWORKS], default=[*NETWORKS])
    options = parser.parse_args()
    print(host_description())
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for name in options.networks:
        build, shape = NETWORKS[name]
        torch.manual_seed(0)
        model, samples = build().eval(), torch.rand(64, *shape)
        for bits in options.bits:
            program = lower(quantize(model, bits, samples), samples)
            for plain in (False, True):
                print(f"| {' | '.join(row(name, bits, program, plain))} |", flush=True)


def row(name: str, bits: int, program: Program, plain: bool) -> list[str]:
    """What is printed of a network in one form."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_c(program, folder, plain=plain)
        found = HEADER.findall((folder / "model.h").read_text())
        sizes = {kind: int(size) for kind, size in found}
        cells = [name, str(bits), "plain" if plain else "packed"]
        cells += [f"{len(pack(program)):,}", f"{flash_bytes(program):,}"]
        counted = ["", ""]
        if missing():
            cells += ["", ""]
        else:
            of = built(folder)
            cells += [f"{of.constants:,}", f"{of.code:,}"]
            count = instructions(folder, CORES["cortex-m4"])
            counted = [f"{count:,}", f"{count / program.macs:.1f}"]
        cells += [f"{program.peak_memory:,}", f"{sizes['ARENA']:,}", f"{sizes['SCRATCH']:,}"]
        return [*cells, f"{time_ratio(program, folder):.2f}", *counted]


if __name__ == "__main__":
    main()
