"""What each compression method does to one small residual network: `python -m benchmarks.methods`
prints a table.

Every row starts from the same trained network, applies one method, trains on, and measures the file
that comes of it. Weights that a method leaves alone have 8 bits.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compressors.blocks import BlockPruning
from compressors.criteria import FPGM, GAMMA
from compressors.low_rank import LowRank
from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from compressors.schedules import cubic
from compressors.sharing import Sharing
from compressors.sparsity import WeightPruning
from nas.compress import Compressor, compress
from nas.data import Task, digits
from nas.lowering import lower, snapped
from nas.measure import OnnxRuntimeCpu, costs
from nas.packed import pack, unpack
from nas.program import score
from nas.seeds import generator, seeded
from nas.space import Design
from nas.training.fit import cross_entropy, fit
from nas.training.recipe import Recipe

WIDTH = 32
RECIPE = Recipe(epochs=16, finetune_epochs=8)
BITS_8: Design = {"bits": 8}


class Block(nn.Module):
    """Two convolutions round which the input goes too."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.norm1 = (
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.second, self.norm2 = (
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.act1, self.act2 = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] of x of the same shape."""
        y = self.norm2(self.second(self.act1(self.norm1(self.first(x)))))
        result: Tensor = self.act2(x + y)
        return result


def residual(task: Task, width: int = WIDTH) -> nn.Module:
    """A stem, three blocks with pooling between them, and a head."""
    model = nn.Sequential()
    model.add_module(
        "stem",
        nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        ),
    )
    for number in range(3):
        model.add_module(f"block{number}", Block(width))
        if number < 2:
            model.add_module(f"pool{number}", nn.MaxPool2d(2))
    model.add_module("mean", nn.AdaptiveAvgPool2d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(width, task.classes))
    return model


@dataclass(frozen=True)
class Method:
    """What is done to the trained network, before it is trained on."""

    name: str
    design: Design
    compressors: Sequence[Compressor]


_HALF: Design = {**{f"block{number}.first.prune": 0.5 for number in range(3)}, **BITS_8}
_PAIRS: Design = {**{f"block{number}.sparsity": "2:4" for number in range(3)}, **BITS_8}


def _ranks(ratio: float) -> Design:
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
    Method("16 shared values", {"codes": 16, **BITS_8}, [Sharing(), Quantization()]),
    Method("a quarter of the rank, spatial", _ranks(0.25), [LowRank(), Quantization()]),
    Method(
        "a third of the rank, Tucker-2",
        _ranks(0.34),
        [LowRank("tucker"), Quantization()],
    ),
    Method(
        "half the channels, 16 values",
        {**_HALF, "codes": 16},
        [ChannelPruning(), Sharing(), Quantization()],
    ),
)


def row(method: Method, trained: nn.Module, task: Task) -> tuple[str, ...]:
    """The method's name, bytes of the file, its test accuracy, MACs, and milliseconds with the
    ratio to floats.
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
        model = residual(task)
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
