"""The cell of NAS-Bench-201, in a network whose widths and depths are settings or choices."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from nas.space import LATER, Choice, Choices, Design
from search_spaces.blocks import convolution, headed
from search_spaces.conditions import offered
from search_spaces.halvings import check_images, input_pool

OPERATIONS: tuple[str, ...] = (
    "none",
    "skip_connect",
    "nor_conv_1x1",
    "nor_conv_3x3",
    "avg_pool_3x3",
)
"""The operations of an edge, by the benchmark's names and in its order."""

NODES = 4
EDGES: tuple[tuple[int, int], ...] = tuple((a, b) for b in range(1, NODES) for a in range(b))
"""Each edge from a node to a later one, in the benchmark's order."""


@dataclass(frozen=True)
class Cell:
    """Networks of one cell, many times, for images [N, C, H, W] of 8x8 pixels and more: a
    convolution, three stages of cells with a residual block between them that halves the
    maps and doubles the channels, global average pooling and a linear head (NAS-Bench-201,
    Dong & Yang, 2020).

    A cell has four nodes; each is the sum of what the edges from the nodes before it give. The
    choices are the operation (`op`, of `OPERATIONS`) of each of the six edges, the same in all
    cells; where they have several options, the `width` of the first stage and the number of `cells`
    of a stage; and the bit-width (`bits`) of each stage and of the head. Sums tie all channels of a
    stage, so that a narrow network is a small width, and nothing is pruned. What an edge does only
    where no path leads to the output is not built.

    The table of the benchmark has the genotypes of `Cell(widths=(16,), cells=(5,), bits=())`, 15,625
    of them, and trained these networks; 6,466 are different up to isomorphism (Dong & Yang, 2020).
    By default the space has 12,000,000 designs. For 3x32x32 images and 10 classes the smallest
    network has 3,398 bytes on a device, 570,528 multiply-accumulates and a peak memory of 10,240 bytes,
    and the largest 44,201 bytes, 4,464,096 and 61,440 bytes.

    Args:
        operations: options for the operation of an edge
        widths: options for the channels of the first stage
        cells: options for the number of cells of each stage
        bits: options for bit-widths; without options nothing chooses them
        pools: options for what the image is pooled by before the stem; without options it is not

    Raises:
        ValueError: if an operation is unknown.
    """

    operations: tuple[str, ...] = OPERATIONS
    widths: tuple[int, ...] = (4, 8, 12)
    cells: tuple[int, ...] = (1,)
    bits: tuple[int, ...] = (2, 3, 4, 8)
    pools: tuple[int, ...] = field(default=(), metadata=LATER)

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.operations) - set(OPERATIONS)):
            raise ValueError(f"operations must be of {OPERATIONS}, but got {unknown}")

    @property
    def choices(self) -> Choices:
        """The operations of the edges, and then what else has several options."""
        edges = [Choice(f"edge{a}{b}", "op", self.operations) for a, b in EDGES]
        macro = [Choice("", "width", self.widths), Choice("", "cells", self.cells)]
        sites = [f"stage{stage}" for stage in range(3)] + ["head"]
        bits = [Choice(site, "bits", self.bits) for site in sites] if self.bits else []
        read = [Choice("input", "pool", self.pools)] if self.pools else []
        return Choices([*read, *edges, *offered(*macro), *bits])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """The network of a design.

        Raises:
            ValueError: if the inputs are not images, or too small.
        """
        check_images(example, self.pools or (1,))
        operations = {(a, b): design.text(f"edge{a}{b}.op") for a, b in EDGES}
        width = design.integer("width") if "width" in design else self.widths[0]
        cells = design.integer("cells") if "cells" in design else self.cells[0]
        model, channels, pool = nn.Sequential(), width, input_pool(design)
        if pool > 1:
            model.add_module("input", nn.AvgPool2d(pool))
        for stage in range(3):
            parts = nn.Sequential()
            if stage == 0:
                stem = convolution(example.shape[1], width, 3)
                parts.add_module("stem", nn.Sequential(*stem))
            else:
                parts.add_module("reduce", Reduction(channels))
                channels *= 2
            for cell in range(cells):
                parts.add_module(f"cell{cell}", SummedEdges(operations, channels))
            model.add_module(f"stage{stage}", parts)
        last = [nn.BatchNorm2d(channels), nn.ReLU()]
        model.add_module("last", nn.Sequential(*last))
        return headed(model, channels, classes)


class Reduction(nn.Module):
    """The residual block between two stages: the sum of two convolutions, the first with a stride, and
    of a pooling with a convolution of single pixels.

    Args:
        inputs: input channels; there are twice as many output channels
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        outputs = 2 * inputs
        first = [nn.ReLU(), *convolution(inputs, outputs, 3, 2)]
        self.body = nn.Sequential(*first, nn.ReLU(), *convolution(outputs, outputs, 3))
        # Of odd sides the convolution keeps the larger half, and so does the pooling.
        pool = nn.AvgPool2d(2, ceil_mode=True)
        self.shortcut = nn.Sequential(pool, nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, 2 * inputs, ⌈H / 2⌉, ⌈W / 2⌉]."""
        y: Tensor = self.body(x) + self.shortcut(x)
        return y


class SummedEdges(nn.Module):
    """A cell: each node is the sum of its edges, and the last node is the output.

    Args:
        operations: the operation of each edge of `EDGES`
        channels: input and output channels
    """

    def __init__(self, operations: Mapping[tuple[int, int], str], channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        kept = {edge for edge in EDGES if operations[edge] != "none"}
        # From the input forward and from the output back: what lies on no path between is nothing.
        reached, needed = {0}, {NODES - 1}
        for a, b in EDGES:
            if (a, b) in kept and a in reached:
                reached.add(b)
        for a, b in sorted(kept, key=lambda edge: -edge[1]):
            if b in needed:
                needed.add(a)
        self.paths = [(a, b) for a, b in EDGES if (a, b) in kept and a in reached and b in needed]
        for a, b in self.paths:
            self.edges[f"{a}{b}"] = _operation(operations[a, b], channels)

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W], as the input."""
        nodes: dict[int, Tensor] = {0: x}
        for a, b in self.paths:
            y = self.edges[f"{a}{b}"](nodes[a])
            nodes[b] = nodes[b] + y if b in nodes else y
        return nodes[NODES - 1] if NODES - 1 in nodes else x * 0.0


def _operation(name: str, channels: int) -> nn.Module:
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    kernel = 1 if name == "nor_conv_1x1" else 3
    return nn.Sequential(nn.ReLU(), *convolution(channels, channels, kernel))
