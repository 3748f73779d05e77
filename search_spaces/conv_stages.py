"""Convolutional networks of stages, from plain convolutions to inverted residuals."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from torch import Tensor, nn

from nas.space import LATER, Choice, Choices, Design
from search_spaces.blocks import Block, headed, inverted, plain, separable
from search_spaces.halvings import input_pool

SKIP = "skip"


class InvertedResidual(nn.Module):
    """An inverted residual: an expansion, a depthwise convolution and a linear projection
    (MobileNetV2, Sandler et al., 2018).

    Args:
        inputs: input channels
        outputs: output channels
        stride: of the depthwise convolution
        residual: whether the input is added to the output
        expansion: the channels in between, as a multiple of the input channels
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int, residual: bool, expansion: int = 3
    ) -> None:
        super().__init__()
        self.body = inverted(3, expansion)(inputs, outputs, stride)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, ⌈H / stride⌉, ⌈W / stride⌉]."""
        y: Tensor = self.body(x)
        return x + y if self.residual else y


BLOCKS: dict[str, Block] = {
    "conv3x3": plain(3),
    "conv5x5": plain(5),
    "separable": separable(3),
    "inverted": lambda inputs, outputs, stride: InvertedResidual(
        inputs, outputs, stride, residual=False
    ),
}


@dataclass(frozen=True)
class ConvStages:
    """Convolutional networks for images [N, C, H, W]: a stem, stages, global average pooling and a
    linear head.

    The choices of a stage are its operator (`op`: one of `BLOCKS`, or "skip"), `width`, `depth` and
    pruning ratio (`prune`), and the bit-width of each of its blocks (`bits`); stem and head have
    bit-widths too. The first block of a stage has its stride. A skipped stage is a max pooling with
    its stride and has no other choices; the first stage cannot be skipped. By default the space has
    20,113,249,732,500 designs, about 2 · 10^13. Different canonical genotypes are different
    networks.

    Args:
        strides: one stage for each, with this stride
        stem: output channels of the stem
        widths: options for the output channels of a stage, before pruning
        depths: options for the number of blocks of a stage
        ratios: options for the share of channels that are pruned
        bits: options for bit-widths
        pools: options for what the image is pooled by before the stem; without options it is not
    """

    strides: tuple[int, ...] = (1, 2, 2)
    stem: int = 8
    widths: tuple[int, ...] = (8, 12, 16, 24, 32)
    depths: tuple[int, ...] = (1, 2, 3)
    ratios: tuple[float, ...] = (0.0, 0.25, 0.5)
    bits: tuple[int, ...] = (2, 3, 4, 6, 8)
    pools: tuple[int, ...] = field(default=(), metadata=LATER)

    @property
    def choices(self) -> Choices:
        """The bit-width of the stem, the choices of each stage, and the bit-width of the head."""
        read = [Choice("input", "pool", self.pools)] if self.pools else []
        choices = [*read, Choice("stem", "bits", self.bits)]
        for stage in range(len(self.strides)):
            site, operators = f"stage{stage}", tuple(BLOCKS)
            choices.append(Choice(site, "op", (*operators, SKIP) if stage else operators))
            kept: tuple[str, frozenset[Hashable]] = (f"{site}.op", frozenset(operators))
            choices += [
                Choice(site, "width", self.widths, kept),
                Choice(site, "depth", self.depths, kept),
            ]
            choices.append(Choice(site, "prune", self.ratios, kept))
            for block in range(max(self.depths)):
                deep = frozenset[Hashable](depth for depth in self.depths if depth > block)
                choices.append(
                    Choice(f"{site}.block{block}", "bits", self.bits, (f"{site}.depth", deep))
                )
        return Choices([*choices, Choice("head", "bits", self.bits)])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """The network of a design; batch normalization follows every convolution."""
        model, pool = nn.Sequential(), input_pool(design)
        if pool > 1:
            model.add_module("input", nn.AvgPool2d(pool))
        model.add_module("stem", plain(3)(example.shape[1], self.stem, 1))
        channels = self.stem
        for stage, stride in enumerate(self.strides):
            site = f"stage{stage}"
            operator = design.text(f"{site}.op")
            if operator == SKIP:
                model.add_module(site, nn.MaxPool2d(stride) if stride > 1 else nn.Identity())
                continue
            width, depth = design.integer(f"{site}.width"), design.integer(f"{site}.depth")
            model.add_module(site, _stage(operator, channels, width, depth, stride))
            channels = width
        return headed(model, channels, classes)


def _stage(operator: str, inputs: int, width: int, depth: int, stride: int) -> nn.Module:
    blocks = nn.Sequential()
    blocks.add_module("block0", BLOCKS[operator](inputs, width, stride))
    for block in range(1, depth):
        # Only these blocks are residual: a residual sum in the first one would tie the channels of
        # two stages, which have different pruning ratios.
        repeated = (
            InvertedResidual(width, width, 1, residual=True)
            if operator == "inverted"
            else BLOCKS[operator](width, width, 1)
        )
        blocks.add_module(f"block{block}", repeated)
    return blocks
