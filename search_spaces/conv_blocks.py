"""Compact convolutional networks for images, trained from scratch."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from torch import Tensor, nn

from nas.space import LATER, Choice, Choices, Design
from search_spaces.blocks import Block, Residual, headed, inverted, plain, separable
from search_spaces.conditions import above, check_stages
from search_spaces.halvings import check_images, input_pool

STEM_OPERATORS: tuple[str, ...] = ("conv3x3", "conv5x5")
"""The operators of the first block, which reads images."""

OPERATORS: dict[str, Block] = {
    "conv3x3": plain(3),
    "conv5x5": plain(5),
    "separable3x3": separable(3),
    "separable5x5": separable(5),
    "inverted3x3": inverted(3),
    "inverted5x5": inverted(5),
}

HALVINGS: dict[str, tuple[int, bool]] = {
    "none": (1, False),
    "stride": (2, False),
    "pool": (1, True),
    "both": (2, True),
}
"""How a stage makes maps smaller: the stride of its first block, and whether max pooling follows."""


@dataclass(frozen=True)
class ConvBlocks:
    """Convolutional networks for images [N, C, H, W]: stages, global average pooling and a linear
    head.

    A stage is a first block that sets its width, perhaps with a stride, perhaps with 2x2 max pooling
    behind it, and further blocks that keep both width and size. The first block of all is a plain
    convolution: with how its stage halves the image, it is the stem.

    The choices are the number of `stages`, of which the last ones may so be left out; of each stage
    its `width`, how it halves its maps (`halving`: a key of `HALVINGS`), the number of its blocks
    (`depth`), and whether those after the first one are residual (`residual`); of each block its
    operator (`op`) and bit-width (`bits`). The head has a bit-width too. Different canonical
    genotypes are different networks, unless a map is but one pixel high or wide: it is not pooled.

    Networks are meant to be trained from scratch, so that a narrow network is a small `width`, and
    there is no choice of pruning ratios unless `ratios` has options, for those who train wide
    networks and cut them then. Bits of activations and the source of scales are settings of
    `Quantization`, the same for all candidates.

    By default the space has 89,458,786,449,475,767,613,440 designs, about 9 · 10^22. For images of
    28x28 or 32x32 pixels the smallest files have some 450 bytes, and four of five random designs take
    at most 16,000 bytes and 10 million multiply-accumulates.

    Args:
        widths: options for the width of each stage; wide ones come late, where maps are small
        stages: options for the number of stages
        depths: options for the number of blocks of a stage
        operators: options for the operator of a block, of `OPERATORS`; those of the first block of
            the network are `STEM_OPERATORS`
        stem_halvings: options for the halving of the first stage
        halvings: options for the halving of a later stage
        bits: options for the bit-width of the weights of a block
        ratios: options for the share of the channels of a stage that are pruned
        pools: options for what the image is pooled by before the first block; without options it is not

    Raises:
        ValueError: if a stage has no widths, or an operator or halving is unknown.
    """

    widths: tuple[tuple[int, ...], ...] = (
        (4, 6, 8, 12, 16),
        (6, 8, 12, 16, 24, 32),
        (8, 12, 16, 24, 32, 48),
        (12, 16, 24, 32, 48),
    )
    stages: tuple[int, ...] = (2, 3, 4)
    depths: tuple[int, ...] = (1, 2, 3)
    operators: tuple[str, ...] = tuple(OPERATORS)
    stem_halvings: tuple[str, ...] = ("none", "stride", "pool", "both")
    halvings: tuple[str, ...] = ("none", "stride", "pool")
    bits: tuple[int, ...] = (2, 3, 4, 8)
    ratios: tuple[float, ...] = ()
    pools: tuple[int, ...] = field(default=(), metadata=LATER)

    def __post_init__(self) -> None:
        check_stages(self.stages, self.widths)
        _check("operators", self.operators, OPERATORS)
        _check("stem_halvings", self.stem_halvings, HALVINGS)
        _check("halvings", self.halvings, HALVINGS)

    @property
    def choices(self) -> Choices:
        """The number of stages, the choices of each stage, and the bit-width of the head."""
        read = [Choice("input", "pool", self.pools)] if self.pools else []
        choices = [*read, Choice("", "stages", self.stages)]
        for stage in range(max(self.stages)):
            site, kept = f"stage{stage}", above("stages", self.stages, stage)
            choices += [
                Choice(site, "width", self.widths[stage], kept),
                Choice(site, "halving", self.halvings if stage else self.stem_halvings, kept),
            ]
            if self.ratios:
                choices.append(Choice(site, "prune", self.ratios, kept))
            choices.append(Choice(site, "depth", self.depths, kept))
            for block in range(max(self.depths)):
                place, deep = f"{site}.block{block}", above(f"{site}.depth", self.depths, block)
                if block == 1:
                    choices.append(Choice(site, "residual", (False, True), deep))
                operators = self.operators if stage or block else STEM_OPERATORS
                choices += [
                    Choice(place, "op", operators, deep),
                    Choice(place, "bits", self.bits, deep),
                ]
        return Choices([*choices, Choice("head", "bits", self.bits)])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """The network of a design.

        Raises:
            ValueError: if the inputs are not images, or too small for the pools.
        """
        if self.pools:
            check_images(example, self.pools)
        pool, model, channels = input_pool(design), nn.Sequential(), example.shape[1]
        if pool > 1:
            model.add_module("input", nn.AvgPool2d(pool))
        side = min(example.shape[2:]) // pool
        for stage in range(design.integer("stages")):
            site, blocks = f"stage{stage}", nn.Sequential()
            width = design.integer(f"{site}.width")
            stride, pooled = HALVINGS[design.text(f"{site}.halving")]
            first = OPERATORS[design.text(f"{site}.block0.op")]
            blocks.add_module("block0", first(channels, width, stride))
            side = math.ceil(side / stride)
            if pooled and side > 1:
                blocks.add_module("pool", nn.MaxPool2d(2))
                side //= 2
            for block in range(1, design.integer(f"{site}.depth")):
                body = OPERATORS[design.text(f"{site}.block{block}.op")](width, width, 1)
                residual = design.flag(f"{site}.residual")
                blocks.add_module(f"block{block}", Residual(body) if residual else body)
            model.add_module(site, blocks)
            channels = width
        return headed(model, channels, classes)


def _check(name: str, options: tuple[str, ...], known: Iterable[str]) -> None:
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(f"{name} must be of {tuple(known)}, but got {unknown}")
