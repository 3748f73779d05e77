"""Residual networks whose depth, widths and pruning are choices."""

from dataclasses import dataclass

from torch import Tensor, nn

from nas.space import Choice, Choices, Design
from search_spaces.blocks import convolution, headed, rectified
from search_spaces.conditions import above, check_stages, of_stage
from search_spaces.halvings import check_images, factors

BODIES: tuple[str, ...] = ("separable", "bottleneck", "basic")
"""The operators of residual blocks: two depthwise convolutions of 3x3, each with one of single pixels; one
of 3x3 between two of single pixels, on half of the channels; two of 3x3.
"""


class ResidualBlock(nn.Module):
    """A body and a shortcut, their sum and a ReLU (He et al., 2016).

    Args:
        body: one of `BODIES`
        inputs: input channels
        outputs: output channels
        stride: of the body and of the shortcut
        projected: whether the shortcut is a convolution of single pixels, and not the input as it
            is, which needs the same channels and no stride
    """

    def __init__(
        self, body: str, inputs: int, outputs: int, stride: int = 1, projected: bool = False
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(*_body(body, inputs, outputs, stride))
        shortcut = convolution(inputs, outputs, 1, stride) if projected else []
        self.shortcut = nn.Sequential(*shortcut)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, ⌈H / stride⌉, ⌈W / stride⌉]."""
        y: Tensor = self.relu(self.body(x) + self.shortcut(x))
        return y


def _body(body: str, inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    if body == "bottleneck":
        half = max(1, outputs // 2)
        around = rectified(half, half, 3, stride)
        return [*rectified(inputs, half, 1), *around, *convolution(half, outputs, 1)]
    if body == "separable":
        first = [*rectified(inputs, inputs, 3, stride, inputs), *rectified(inputs, outputs, 1)]
        second = rectified(outputs, outputs, 3, 1, outputs)
        return [*first, *second, *convolution(outputs, outputs, 1)]
    return [*rectified(inputs, outputs, 3, stride), *convolution(outputs, outputs, 3)]


@dataclass(frozen=True)
class ResidualStages:
    """Residual networks for images [N, C, H, W] of 8x8 pixels and more: stages of residual blocks,
    global average pooling and a linear head (ResNet, He et al., 2016).

    The choices are what the image is pooled by before the first convolution (`input.pool`), the
    number of `stages`, and of each stage its operator (`op`, of `BODIES`), `width`, if there are
    `ratios` its pruning ratio (`prune`), and `depth`; of the first convolution, of each block and
    of the head the bit-width (`bits`). The first convolution belongs to the first stage, and each
    later stage begins with a shortcut that is a convolution, so that the channels which sums tie
    together have one width and one ratio. Strides follow the input: maps end with 4 to 7 pixels
    along the shorter side where there are places enough, beginning with the second stage and then
    the first convolution.

    By default the space has 51,260,428,800 designs, all of them different networks. For 3x32x32
    images and 10 classes the smallest network has 820 bytes on a device, 17,424
    multiply-accumulates and a peak memory of 3,840 bytes, and the largest 126,120 bytes, 7,827,776
    and 12,288 bytes.

    Args:
        widths: options for the width of each stage, before pruning
        stages: options for the number of stages
        depths: options for the number of blocks of a stage
        operators: options for the operator of a stage, of `BODIES`
        ratios: options for the share of the channels of a stage that are pruned; without options nothing
            is, since a network that is trained from scratch may as well have a smaller width
        bits: options for bit-widths
        pools: options for what the image is pooled by

    Raises:
        ValueError: if a number of stages has no widths, or an operator is unknown.
    """

    widths: tuple[tuple[int, ...], ...] = ((4, 6, 8, 12, 16), (8, 12, 16, 24, 32), (12, 16, 24, 32))
    stages: tuple[int, ...] = (2, 3)
    depths: tuple[int, ...] = (1, 2, 3)
    operators: tuple[str, ...] = BODIES
    ratios: tuple[float, ...] = ()
    bits: tuple[int, ...] = (2, 3, 4, 8)
    pools: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        check_stages(self.stages, self.widths)
        if unknown := sorted(set(self.operators) - set(BODIES)):
            raise ValueError(f"operators must be of {BODIES}, but got {unknown}")

    @property
    def choices(self) -> Choices:
        """From the input to the head."""
        choices = [Choice("input", "pool", self.pools), Choice("", "stages", self.stages)]
        for stage in range(max(self.stages)):
            if stage == 0:
                choices.append(Choice("stage0.stem", "bits", self.bits))
            settings = {"op": self.operators, "width": self.widths[stage], "prune": self.ratios}
            kept = above("stages", self.stages, stage)
            choices += of_stage(f"stage{stage}", settings, self.depths, self.bits, kept)
        return Choices([*choices, Choice("head", "bits", self.bits)])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """The network of a design.

        Raises:
            ValueError: if the inputs are not images, or too small.
        """
        check_images(example, self.pools)
        pool, count = design.integer("input.pool"), design.integer("stages")
        later = [f"stage{stage}" for stage in range(1, count)]
        strides = factors(min(example.shape[2:]) // pool, [*later, "stem", "stage0"])
        model, channels = nn.Sequential(), design.integer("stage0.width")
        if pool > 1:
            model.add_module("input", nn.AvgPool2d(pool))
        for stage in range(count):
            site, blocks = f"stage{stage}", nn.Sequential()
            if stage == 0:
                stem = rectified(example.shape[1], channels, 3, strides["stem"])
                blocks.add_module("stem", nn.Sequential(*stem))
            op, width = design.text(f"{site}.op"), design.integer(f"{site}.width")
            for block in range(design.integer(f"{site}.depth")):
                stride = 1 if block else strides[site]
                # A shortcut without weights would tie the channels of two stages.
                projected = stride > 1 or (block == 0 and stage > 0)
                made = ResidualBlock(op, channels, width, stride, projected)
                blocks.add_module(f"block{block}", made)
                channels = width
            model.add_module(site, blocks)
        return headed(model, channels, classes)
