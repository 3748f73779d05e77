"""Depthwise separable networks for keyword spotting, and for images."""

from dataclasses import dataclass

from torch import Tensor, nn

from nas.space import Choice, Choices, Design
from search_spaces.blocks import headed, rectified
from search_spaces.conditions import above
from search_spaces.halvings import check_images, factors

KERNELS: dict[str, tuple[int, int]] = {
    "3x3": (3, 3),
    "5x5": (5, 5),
    "3x1": (3, 1),
    "1x3": (1, 3),
    "10x4": (10, 4),
}
"""Kernels, height by width, by the names that choices use. Height is time in a spectrogram."""


@dataclass(frozen=True)
class DsCnn:
    """Networks of depthwise separable convolutions for spectrograms [N, 1, time, frequency] and
    images [N, C, H, W] of 8x8 and more: a stem, blocks, global average pooling and a linear
    head (DS-CNN for keyword spotting, Zhang et al., 2017).

    The choices are what the input is pooled by before the stem (`input.pool`), the `width` of the
    stem and of all blocks, which is one choice for all of them, the number of `blocks`, the
    `kernel` and bit-width (`bits`) of the stem, and of each block its `kernel`, if there are
    `ratios` its pruning ratio (`prune`), and bit-width; the head has a bit-width. Strides follow
    the input: maps end with 4 to 7 along the shorter side where there are places enough, beginning
    with the stem and then the first blocks.

    By default the space has 13,029,120 designs, all of them different networks. For 3x32x32 images
    and 10 classes the smallest network has 559 bytes on a device, 23,736 multiply-accumulates and a
    peak memory of 3,840 bytes, and the largest 34,845 bytes, 3,108,736 and 23,680 bytes.

    Args:
        widths: options for the width, before pruning
        blocks: options for the number of blocks
        stem_kernels: options for the kernel of the stem, of `KERNELS`
        kernels: options for the kernel of the depthwise convolution of a block, of `KERNELS`
        ratios: options for the share of the channels of a block that are pruned; without options nothing
            is, since a network that is trained from scratch may as well have a smaller width
        bits: options for bit-widths
        pools: options for what the input is pooled by

    Raises:
        ValueError: if a kernel is unknown, or a number of blocks is below 1.
    """

    widths: tuple[int, ...] = (12, 16, 24, 32, 48, 64)
    blocks: tuple[int, ...] = (1, 2, 3, 4)
    stem_kernels: tuple[str, ...] = ("3x3", "5x5", "10x4")
    kernels: tuple[str, ...] = ("3x1", "3x3", "5x5")
    ratios: tuple[float, ...] = ()
    bits: tuple[int, ...] = (2, 3, 4, 8)
    pools: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        if not self.blocks or min(self.blocks) < 1:
            raise ValueError(f"blocks must be numbers from 1, but got {self.blocks}")
        if unknown := sorted({*self.stem_kernels, *self.kernels} - KERNELS.keys()):
            raise ValueError(f"kernels must be of {(*KERNELS,)}, but got {unknown}")

    @property
    def choices(self) -> Choices:
        """From the input to the head."""
        choices = [
            Choice("input", "pool", self.pools),
            Choice("", "width", self.widths),
            Choice("stem", "kernel", self.stem_kernels),
            Choice("stem", "bits", self.bits),
            Choice("", "blocks", self.blocks),
        ]
        for block in range(max(self.blocks)):
            site, kept = f"block{block}", above("blocks", self.blocks, block)
            choices.append(Choice(site, "kernel", self.kernels, kept))
            if self.ratios:
                choices.append(Choice(site, "prune", self.ratios, kept))
            choices.append(Choice(site, "bits", self.bits, kept))
        return Choices([*choices, Choice("head", "bits", self.bits)])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """The network of a design.

        Raises:
            ValueError: if the inputs are not images, or too small.
        """
        check_images(example, self.pools)
        pool, width = design.integer("input.pool"), design.integer("width")
        sites = [f"block{block}" for block in range(design.integer("blocks"))]
        strides = factors(min(example.shape[2:]) // pool, ["stem", *sites])
        model = nn.Sequential()
        if pool > 1:
            model.add_module("input", nn.AvgPool2d(pool))
        kernel = KERNELS[design.text("stem.kernel")]
        stem = rectified(example.shape[1], width, kernel, strides["stem"])
        model.add_module("stem", nn.Sequential(*stem))
        for site in sites:
            kernel = KERNELS[design.text(f"{site}.kernel")]
            depthwise = rectified(width, width, kernel, strides[site], width)
            model.add_module(site, nn.Sequential(*depthwise, *rectified(width, width, 1)))
        return headed(model, width, classes)
