"""Compression methods compared on one small residual network: `python -m benchmarks.methods` prints
a table.

Every row compresses the same trained network by one method, fine-tunes it, and measures the packed
file. Weights that a method does not change have 8 bits.
"""

import argparse
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from compressors.blocks import BlockPruning
from compressors.criteria import FPGM, GAMMA
from compressors.low_rank import LowRank
from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from compressors.schedules import cubic
from compressors.sharing import Sharing
from compressors.sparsity import WeightPruning
from experiments.compression import residual_network
from nas.compress import Compressor, compress
from nas.data import Task, digits
from nas.lowering import lower, snapped
from nas.measure import OnnxRuntimeCpu, costs
from nas.packed import pack, unpack
from nas.program import score
from nas.seeds import generator, seeded
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe

WIDTH = 32
RECIPE = Recipe(epochs=16, finetune_epochs=8)
BITS_8: Mapping[str, Hashable] = {"bits": 8}


@dataclass(frozen=True)
class Method:
    """A way to compress the trained network before it is fine-tuned.

    Args:
        name: the name in the table
        design: the choices of the compressors
        compressors: in the order in which they are applied
    """

    name: str
    design: Mapping[str, Hashable]
    compressors: Sequence[Compressor]


_HALF: Mapping[str, Hashable] = {
    **{f"block{number}.first.prune": 0.5 for number in range(3)},
    **BITS_8,
}
_PAIRS: Mapping[str, Hashable] = {
    **{f"block{number}.sparsity": "2:4" for number in range(3)},
    **BITS_8,
}


def _ranks(ratio: float) -> Mapping[str, Hashable]:
    return {**{f"block{number}.rank": ratio for number in range(3)}, **BITS_8}


METHODS = (
    Method("8 bits", BITS_8, [Quantization()]),
    Method("4 bits", {"bits": 4}, [Quantization()]),
    Method("4 bits, learned steps", {"bits": 4}, [Quantization(weights="lsq", activations="lsq")]),
    Method("2 bits", {"bits": 2}, [Quantization()]),
    Method("2 bits, affine", {"bits": 2}, [Quantization(weights="affine")]),
    Method("ternary weights", {"bits": 2}, [Quantization(weights="ternary")]),
    Method(
        "binary weights, head of 8 bits",
        {"bits": 1, "stem.bits": 8, "head.bits": 8},
        [Quantization()],
    ),
    Method(
        "8 bits, tensors of 4 bits", BITS_8, [Quantization(activation_bits=4, activations="pact")]
    ),
    Method("half of the inner channels", _HALF, [ChannelPruning(), Quantization()]),
    Method("the same by FPGM", _HALF, [ChannelPruning(FPGM), Quantization()]),
    Method("the same by gains", _HALF, [ChannelPruning(GAMMA), Quantization()]),
    Method(
        "without the last block", {"block2.drop": True, **BITS_8}, [BlockPruning(), Quantization()]
    ),
    Method(
        "a tenth of the weights",
        {"sparsity": 0.9, **BITS_8},
        [WeightPruning(schedule=cubic), Quantization()],
    ),
    Method("2:4 in the blocks", _PAIRS, [WeightPruning(), Quantization()]),
    Method("16 shared values", {"codebook_size": 16, **BITS_8}, [Sharing(), Quantization()]),
    Method("a quarter of the rank, spatial", _ranks(0.25), [LowRank(), Quantization()]),
    Method(
        "a third of the rank, Tucker-2",
        _ranks(0.34),
        [LowRank("tucker"), Quantization()],
    ),
    Method(
        "half the channels, 16 values",
        {**_HALF, "codebook_size": 16},
        [ChannelPruning(), Sharing(), Quantization()],
    ),
)


def row(method: Method, trained: nn.Module, task: Task) -> tuple[str, ...]:
    """The name of the method, the bytes of the file, its test accuracy, its MACs, and its latency
    in milliseconds with the ratio to that of the network in floats.
    """
    calibration, shuffle = task.train.inputs[:256], torch.Generator().manual_seed(0)
    with seeded(0):
        model = compress(trained, method.design, method.compressors, calibration)
    fit(
        model,
        task,
        RECIPE,
        epochs=RECIPE.finetune_epochs,
        lr=RECIPE.finetune_lr,
        loss=cross_entropy,
        generator=shuffle,
    )
    program = lower(snapped(model), calibration)
    packed = pack(program)
    timed = costs(model, program, OnnxRuntimeCpu())
    latency = f"{timed['latency_ms']:.3f} ({timed['latency_ratio']:.2f})"
    return (
        method.name,
        f"{len(packed):,}",
        f"{score(unpack(packed), task.test):.4f}",
        f"{program.macs:,}",
        latency,
    )


def main() -> None:
    """Prints the table as Markdown."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    task, shuffle = digits(generator(0, "digits")), torch.Generator().manual_seed(0)
    with seeded(0):
        model = residual_network(task, WIDTH)
    fit(
        model,
        task,
        RECIPE,
        epochs=RECIPE.epochs,
        lr=RECIPE.lr,
        loss=cross_entropy,
        generator=shuffle,
    )
    print("| method | bytes | test accuracy | MACs | ms, and as a ratio to its floats |")
    print("|---|---|---|---|---|")
    for method in METHODS:
        print(f"| {' | '.join(row(method, model, task))} |", flush=True)


if __name__ == "__main__":
    main()
