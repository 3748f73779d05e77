"""LeNets: two convolutions with poolings, and linear layers."""

from dataclasses import dataclass

from torch import Tensor, nn

from nas.space import Choice, Choices, Design
from search_spaces.blocks import ACTIVATIONS
from search_spaces.conditions import above
from search_spaces.halvings import check_images, factors

POOLINGS: dict[str, type[nn.Module]] = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}
"""Poolings by the names that choices use."""


@dataclass(frozen=True)
class LeNet:
    """LeNets for images [N, C, H, W] of 8x8 pixels and more: two convolutions with poolings, up to
    two hidden linear layers and a linear head (LeNet-5, LeCun et al., 1998).

    The choices are what the image is pooled by before the first convolution (`input.pool`), the
    `activation` and the `pooling` of all layers, the number of hidden layers (`depth`), and of each
    layer its `width`, pruning ratio (`prune`) and bit-width (`bits`), of a convolution its `kernel`
    and of a hidden layer its share of the full rank (`rank`); the head has a bit-width. Poolings
    follow the input: 4 to 7 pixels are left along the shorter side. A hidden layer reads all of
    them, so that it has most of the weights: for large images other spaces are smaller.

    By default the space has 6,158,057,472 designs, all of them different networks unless a layer is
    so thin that a rank leaves it as it is. For 3x32x32 images and 10 classes the smallest network
    has 388 bytes on a device, 19,072 multiply-accumulates and a peak memory of 3,840 bytes, and the
    largest 30,338 bytes, 1,402,688 and 24,576 bytes.

    Args:
        widths: options for the width of each convolution, before pruning
        kernels: options for the kernel of a convolution
        hidden: options for the width of each hidden layer, before pruning
        depths: options for the number of hidden layers
        activations: options of `ACTIVATIONS` in `search_spaces.blocks`
        poolings: options of `POOLINGS`
        ratios: options for the share of the channels of a layer that are pruned
        ranks: options for the share of the full rank of a hidden layer; 1 leaves it as it is
        bits: options for bit-widths
        pools: options for what the image is pooled by

    Raises:
        ValueError: if a number of hidden layers has no widths, or an activation or a pooling is
            unknown.
    """

    widths: tuple[tuple[int, ...], tuple[int, ...]] = ((4, 6, 8, 12), (8, 12, 16, 24))
    kernels: tuple[int, ...] = (3, 5)
    hidden: tuple[tuple[int, ...], ...] = ((16, 24, 32, 48), (12, 16, 24, 32))
    depths: tuple[int, ...] = (0, 1, 2)
    activations: tuple[str, ...] = ("relu", "tanh")
    poolings: tuple[str, ...] = tuple(POOLINGS)
    ratios: tuple[float, ...] = (0.0, 0.25, 0.5)
    ranks: tuple[float, ...] = (0.25, 0.5, 1.0)
    bits: tuple[int, ...] = (2, 3, 4, 8)
    pools: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        if not self.depths or not all(0 <= depth <= len(self.hidden) for depth in self.depths):
            raise ValueError(
                f"depths must be numbers from 0 to {len(self.hidden)}, for which there are widths, but got {self.depths}"
            )
        for name, given, known in (
            ("activations", self.activations, ACTIVATIONS),
            ("poolings", self.poolings, POOLINGS),
        ):
            if unknown := sorted(set(given) - known.keys()):
                raise ValueError(f"{name} must be of {(*known,)}, but got {unknown}")

    @property
    def choices(self) -> Choices:
        """From the input to the head."""
        choices = [
            Choice("input", "pool", self.pools),
            Choice("", "activation", self.activations),
            Choice("", "pooling", self.poolings),
        ]
        for layer, widths in enumerate(self.widths):
            site = f"conv{layer}"
            choices += [
                Choice(site, "width", widths),
                Choice(site, "kernel", self.kernels),
                Choice(site, "prune", self.ratios),
                Choice(site, "bits", self.bits),
            ]
        choices.append(Choice("", "depth", self.depths))
        for layer in range(max(self.depths)):
            site, kept = f"hidden{layer}", above("depth", self.depths, layer)
            choices += [
                Choice(site, "width", self.hidden[layer], kept),
                Choice(site, "prune", self.ratios, kept),
                Choice(site, "rank", self.ranks, kept),
                Choice(site, "bits", self.bits, kept),
            ]
        return Choices([*choices, Choice("head", "bits", self.bits)])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """The network of a design, with batch normalization behind every hidden layer.

        Raises:
            ValueError: if the inputs are not images, or too small.
        """
        check_images(example, self.pools)
        activation = ACTIVATIONS[design.text("activation")]
        pooling, pool = POOLINGS[design.text("pooling")], design.integer("input.pool")
        (channels, height, width), model = example.shape[1:], nn.Sequential()
        if pool > 1:
            model.add_module("input", nn.AvgPool2d(pool))
            height, width = height // pool, width // pool
        halved = factors(min(height, width), ["conv0", "conv1"], most=max(height, width))
        for site, factor in halved.items():
            outputs, kernel = design.integer(f"{site}.width"), design.integer(f"{site}.kernel")
            conv = nn.Conv2d(channels, outputs, kernel, padding=kernel // 2, bias=False)
            layer = nn.Sequential(conv, nn.BatchNorm2d(outputs), activation())
            if factor > 1:
                layer.add_module("pool", pooling(factor))
                height, width = height // factor, width // factor
            model.add_module(site, layer)
            channels = outputs
        model.add_module("flatten", nn.Flatten())
        features = channels * height * width
        for number in range(design.integer("depth")):
            site = f"hidden{number}"
            outputs = design.integer(f"{site}.width")
            linear = nn.Linear(features, outputs, bias=False)
            model.add_module(site, nn.Sequential(linear, nn.BatchNorm1d(outputs), activation()))
            features = outputs
        model.add_module("head", nn.Linear(features, classes))
        return model
