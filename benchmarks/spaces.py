"""The spaces that ship: how many designs they have, how small and how large their networks are, and
how long it takes to build and cost one: `python -m benchmarks.spaces`.
"""

import argparse
import statistics
import time
from collections.abc import Mapping

import torch
from torch import Tensor

from compressors.low_rank import LowRank
from compressors.pruning import ChannelPruning
from compressors.quantization import Quantization
from nas.compress import compress
from nas.lowering import lower_shapes
from nas.measure import costs
from nas.seeds import generator, seeded
from nas.space import Choices, Design, Genotype, SearchSpace
from nas.threads import one_thread
from search_spaces.cell import Cell
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.conv_stages import ConvStages
from search_spaces.ds_cnn import DsCnn
from search_spaces.lenet import LeNet
from search_spaces.mlp import Mlp
from search_spaces.mobile import Mobile
from search_spaces.residual_stages import ResidualStages
from search_spaces.temporal import Temporal

SPACES: Mapping[str, SearchSpace] = {
    "Mobile": Mobile(),
    "ResidualStages": ResidualStages(),
    "DsCnn": DsCnn(),
    "Cell": Cell(),
    "LeNet": LeNet(),
    "ConvBlocks": ConvBlocks(),
    "ConvStages": ConvStages(),
    "Mlp": Mlp(),
    "Temporal": Temporal(),
}
SHRINKING = frozenset({"halving", "pool", "prune"})
"""Kinds of which the last option makes the smallest network; of all others the first one does."""

CLASSES = 10


def example_for(space: SearchSpace) -> Tensor:
    """The inputs that figures are for: 3x32x32 images, or 3x128 signals."""
    return torch.zeros(2, 3, 128) if isinstance(space, Temporal) else torch.zeros(2, 3, 32, 32)


def smallest(choices: Choices) -> Genotype:
    """The candidate whose options make the smallest network, where options are in order of cost."""
    return _extreme(choices, largest=False)


def largest(choices: Choices) -> Genotype:
    """The candidate whose options make the largest network."""
    return _extreme(choices, largest=True)


def _extreme(choices: Choices, largest: bool) -> Genotype:
    lasts = [(choice.kind in SHRINKING) != largest for choice in choices]
    return choices.nearest(
        [
            len(choice.options) - 1 if last else 0
            for choice, last in zip(choices, lasts, strict=True)
        ]
    )


def cost(space: SearchSpace, genotype: Genotype, example: Tensor) -> dict[str, float]:
    """The costs of a candidate before training."""
    design: Design = space.choices.decode(genotype)
    kinds = {choice.kind for choice in space.choices}
    used = [part for part in (ChannelPruning(), LowRank(), Quantization()) if part.kind in kinds]
    with seeded(0):
        model = space.build(design, example, CLASSES)
    model = compress(model, design, used, example)
    return costs(model, lower_shapes(model, example))


def row(name: str, designs: int) -> str:
    """A line of the table: size, bytes, multiply-accumulates, memory, and the median milliseconds of
    processor time in which one of so many random designs is built and costed.
    """
    space, rng, times = SPACES[name], generator(0, "spaces"), list[float]()
    example, choices = example_for(space), space.choices
    ends = [cost(space, end(choices), example) for end in (smallest, largest)]
    for _ in range(designs):
        genotype, start = choices.sample(rng), time.process_time()
        cost(space, genotype, example)
        times.append(1000 * (time.process_time() - start))
    size = f"{choices.size:,}" if choices.size < 10**15 else f"{choices.size:.1e}"
    spans = [
        f"{ends[0][metric]:,.0f} – {ends[1][metric]:,.0f}"
        for metric in ("flash_bytes", "macs", "peak_memory_bytes")
    ]
    took = f"{statistics.median(times):.0f}" if times else ""
    return f"| `{name}` | {size} | {' | '.join(spans)} | {took} |"


@one_thread()
def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--designs", type=int, default=15, help="random designs that are timed")
    parser.add_argument("--space", choices=SPACES, help="only this one")
    options = parser.parse_args()
    print("| space | designs | bytes | MACs | memory, bytes | ms |\n|---|---|---|---|---|---|")
    for name in SPACES if options.space is None else (options.space,):
        print(row(name, options.designs), flush=True)


if __name__ == "__main__":
    main()
