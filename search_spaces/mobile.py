"""Mobile networks: stages of inverted residuals."""

from dataclasses import dataclass

from torch import Tensor, nn

from nas.space import Choice, Choices, Design
from search_spaces.blocks import ACTIVATIONS, Residual, headed, inverted, rectified
from search_spaces.conditions import above, check_stages, of_stage
from search_spaces.halvings import check_images, factors


@dataclass(frozen=True)
class Mobile:
    """Networks of inverted residuals for images [N, C, H, W] of 8x8 pixels and more: a stem,
    stages, a convolution of single pixels, global average pooling and a linear head (the
    family of MobileNetV2 and V3, MnasNet and ProxylessNAS: Sandler et al., 2018; Howard et
    al., 2019; Tan et al., 2019; Cai et al., 2019).

    The choices are what the image is pooled by before the stem (`input.pool`), the number of
    `stages`, and of each stage its `width`, `kernel`, `expansion`, `activation`, whether it has
    squeeze and excite (`squeeze`), if there are `ratios` its pruning ratio (`prune`), and its
    `depth`; of each block the bit-width (`bits`). Stem and last convolution have a `width` and a
    bit-width, the head has a bit-width. The first block of a stage sets its width, and those after
    it are residual, so that what sums tie together has one ratio. Strides follow the input: maps
    end with 4 to 7 pixels along the shorter side where there are places enough, beginning with the
    second stage and then the stem.

    By default the space has about 3 · 10^19 designs, all of them different networks. For 3x32x32
    images and 10 classes the smallest network has 988 bytes on a device, 26,784
    multiply-accumulates and a peak memory of 3,840 bytes, and the largest 425,719 bytes, 31,003,968
    and 213,088 bytes.

    Args:
        stem: options for the width of the stem
        widths: options for the width of each stage, before pruning
        last: options for the width of the last convolution
        stages: options for the number of stages
        depths: options for the number of blocks of a stage
        kernels: options for the kernel of the depthwise convolutions of a stage
        expansions: options for the channels in between, as a multiple of the input's; 1 keeps the
            first convolution, as in FBNet (Wu et al., 2019)
        activations: options of `ACTIVATIONS` in `search_spaces.blocks`
        squeezes: options for squeeze and excite
        ratios: options for the share of the channels of a stage that are pruned; without options nothing
            is, since a network that is trained from scratch may as well have a smaller width
        bits: options for bit-widths
        pools: options for what the image is pooled by

    Raises:
        ValueError: if a number of stages has no widths, or an activation is unknown.
    """

    stem: tuple[int, ...] = (6, 8, 12, 16)
    widths: tuple[tuple[int, ...], ...] = (
        (6, 8, 12, 16),
        (8, 12, 16, 24),
        (12, 16, 24, 32),
        (16, 24, 32, 48),
    )
    last: tuple[int, ...] = (32, 48, 64, 96)
    stages: tuple[int, ...] = (2, 3, 4)
    depths: tuple[int, ...] = (1, 2, 3)
    kernels: tuple[int, ...] = (3, 5)
    expansions: tuple[int, ...] = (1, 2, 4, 6)
    activations: tuple[str, ...] = ("relu", "hardswish")
    squeezes: tuple[bool, ...] = (False, True)
    ratios: tuple[float, ...] = ()
    bits: tuple[int, ...] = (2, 3, 4, 8)
    pools: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        check_stages(self.stages, self.widths)
        if unknown := sorted(set(self.activations) - ACTIVATIONS.keys()):
            raise ValueError(f"activations must be of {(*ACTIVATIONS,)}, but got {unknown}")

    @property
    def choices(self) -> Choices:
        """From the input to the head."""
        choices = [
            Choice("input", "pool", self.pools),
            Choice("stem", "width", self.stem),
            Choice("stem", "bits", self.bits),
            Choice("", "stages", self.stages),
        ]
        for stage in range(max(self.stages)):
            settings = {
                "width": self.widths[stage],
                "kernel": self.kernels,
                "expansion": self.expansions,
                "activation": self.activations,
                "squeeze": self.squeezes,
                "prune": self.ratios,
            }
            kept = above("stages", self.stages, stage)
            choices += of_stage(f"stage{stage}", settings, self.depths, self.bits, kept)
        last = [Choice("last", "width", self.last), Choice("last", "bits", self.bits)]
        return Choices([*choices, *last, Choice("head", "bits", self.bits)])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """The network of a design.

        Raises:
            ValueError: if the inputs are not images, or too small.
        """
        check_images(example, self.pools)
        pool, count = design.integer("input.pool"), design.integer("stages")
        later = [f"stage{stage}" for stage in range(1, count)]
        strides = factors(min(example.shape[2:]) // pool, [*later, "stem", "stage0"])
        model, channels = nn.Sequential(), design.integer("stem.width")
        if pool > 1:
            model.add_module("input", nn.AvgPool2d(pool))
        stem = rectified(example.shape[1], channels, 3, strides["stem"])
        model.add_module("stem", nn.Sequential(*stem))
        for stage in range(count):
            site, blocks = f"stage{stage}", nn.Sequential()
            width = design.integer(f"{site}.width")
            block = inverted(
                design.integer(f"{site}.kernel"),
                design.integer(f"{site}.expansion"),
                design.text(f"{site}.activation"),
                design.flag(f"{site}.squeeze"),
            )
            blocks.add_module("block0", block(channels, width, strides[site]))
            for repeat in range(1, design.integer(f"{site}.depth")):
                blocks.add_module(f"block{repeat}", Residual(block(width, width, 1)))
            model.add_module(site, blocks)
            channels = width
        width = design.integer("last.width")
        model.add_module("last", nn.Sequential(*rectified(channels, width, 1)))
        return headed(model, width, classes)
