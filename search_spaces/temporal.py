"""Networks for signals: dilated convolutions over time."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from nas.quantize import Select
from nas.space import Choice, Choices, Design
from search_spaces.blocks import Residual
from search_spaces.conditions import above, check_stages, offered
from search_spaces.halvings import check_signals, factors

POOLINGS: tuple[str, ...] = ("max", "avg", "stride")
"""How a stage makes signals shorter: by a pooling behind its first block, or by its stride."""


@dataclass(frozen=True)
class Temporal:
    """Networks for signals [N, C, T] of 8 samples and more: a stem, stages of convolutions over
    time, global average pooling and a linear head (in the manner of temporal convolutional
    networks, Bai et al., 2018, which need not be causal here).

    The choices are how many channels are read (`input.channels`), what the signal is pooled by
    before the stem (`input.pool`), how stages make it shorter (`pooling`, of `POOLINGS`), the
    number of `stages`, and of each stage its operator (`op`: "separable" or "conv"), `width`,
    `kernel`, `dilation`, if there are `ratios` its pruning ratio (`prune`), and `depth`; of stem,
    blocks and head the bit-width (`bits`). In a stage of dilation d, block b reads samples that are
    d^b apart; blocks after the first are residual. Signals are made shorter until 4 to 7 samples
    are left, in equal shares, beginning with the first stage.

    By default the space has 2,470,400,895,744 designs, all of them different networks. For 3x128
    signals and 10 classes the smallest network has 411 bytes on a device, 10,320
    multiply-accumulates and a peak memory of 1,024 bytes, and the largest 37,122 bytes, 317,760 and
    1,536 bytes.

    Args:
        widths: options for the width of each stage, before pruning
        stem: output channels of the stem
        stages: options for the number of stages
        depths: options for the number of blocks of a stage
        operators: options for the operator of a stage, "separable" or "conv"
        kernels: options for the kernel of a stage
        dilations: options for what the dilation grows by from block to block
        ratios: options for the share of the channels of a stage that are pruned; without options nothing
            is, since a network that is trained from scratch may as well have a smaller width
        bits: options for bit-widths
        poolings: options of `POOLINGS`
        pools: options for what the signal is pooled by
        channels: options for the number of channels that are read; without options all are
        order: the channels by falling importance, of which the first ones are read; without it
            in their own order

    Raises:
        ValueError: if a number of stages has no widths, or an operator or pooling is unknown.
    """

    widths: tuple[tuple[int, ...], ...] = ((8, 12, 16), (12, 16, 24), (16, 24, 32))
    stem: int = 8
    stages: tuple[int, ...] = (1, 2, 3)
    depths: tuple[int, ...] = (1, 2, 3)
    operators: tuple[str, ...] = ("separable", "conv")
    kernels: tuple[int, ...] = (3, 5, 7)
    dilations: tuple[int, ...] = (1, 2)
    ratios: tuple[float, ...] = ()
    bits: tuple[int, ...] = (2, 3, 4, 8)
    poolings: tuple[str, ...] = POOLINGS
    pools: tuple[int, ...] = (1, 2)
    channels: tuple[int, ...] = ()
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_stages(self.stages, self.widths)
        for name, given, known in (
            ("operators", self.operators, ("separable", "conv")),
            ("poolings", self.poolings, POOLINGS),
        ):
            if unknown := sorted(set(given) - set(known)):
                raise ValueError(f"{name} must be of {known}, but got {unknown}")

    @property
    def choices(self) -> Choices:
        """From the input to the head."""
        read = [Choice("input", "channels", self.channels)] if self.channels else []
        choices = [
            *read,
            Choice("input", "pool", self.pools),
            Choice("", "pooling", self.poolings),
            Choice("stem", "bits", self.bits),
            Choice("", "stages", self.stages),
        ]
        for stage in range(max(self.stages)):
            site, kept = f"stage{stage}", above("stages", self.stages, stage)
            for kind, options in (
                ("op", self.operators),
                ("width", self.widths[stage]),
                ("kernel", self.kernels),
                *((("prune", self.ratios),) if self.ratios else ()),
                ("depth", self.depths),
            ):
                choices.append(Choice(site, kind, options, kept))
            if max(self.depths) > 1:
                deep = above(f"{site}.depth", self.depths, 1)
                choices += offered(Choice(site, "dilation", self.dilations, deep))
            for block in range(max(self.depths)):
                deep = above(f"{site}.depth", self.depths, block)
                choices.append(Choice(f"{site}.block{block}", "bits", self.bits, deep))
        return Choices([*choices, Choice("head", "bits", self.bits)])

    def build(self, design: Design, example: Tensor, classes: int) -> nn.Module:
        """The network of a design.

        Raises:
            ValueError: if the inputs are not signals, or too short, or have fewer channels than are
                to be read.
        """
        check_signals(example, self.pools)
        inputs, pool = example.shape[1], design.integer("input.pool")
        model = nn.Sequential()
        if self.channels:
            read = self._read(inputs, design.integer("input.channels"))
            model.add_module("read", Select(read))
            inputs = len(read)
        if pool > 1:
            model.add_module("input", nn.AvgPool1d(pool))
        model.add_module("stem", _convolution("conv", inputs, self.stem, 3))
        sites = [f"stage{stage}" for stage in range(design.integer("stages"))]
        length, channels = example.shape[2] // pool, self.stem
        for site, factor in factors(length, sites, most=length).items():
            op, kernel = design.text(f"{site}.op"), design.integer(f"{site}.kernel")
            width, depth = design.integer(f"{site}.width"), design.integer(f"{site}.depth")
            strides = design.text("pooling") == "stride"
            blocks = nn.Sequential()
            first = _convolution(op, channels, width, kernel, factor if strides else 1)
            blocks.add_module("block0", first)
            if factor > 1 and not strides:
                pooling = nn.MaxPool1d if design.text("pooling") == "max" else nn.AvgPool1d
                blocks.add_module("pool", pooling(factor))
            for block in range(1, depth):
                name = f"{site}.dilation"
                growth = design.integer(name) if name in design else self.dilations[0]
                body = _convolution(op, width, width, kernel, dilation=growth**block)
                blocks.add_module(f"block{block}", Residual(body))
            model.add_module(site, blocks)
            channels = width
        model.add_module("pool", nn.AdaptiveAvgPool1d(1))
        model.add_module("flatten", nn.Flatten())
        model.add_module("head", nn.Linear(channels, classes))
        return model

    def _read(self, inputs: int, count: int) -> Sequence[int]:
        order = self.order or range(inputs)
        if count > inputs or sorted(order) != list(range(inputs)):
            raise ValueError(
                f"channels must be at most the {inputs} of the input, and order must list each of them once, "
                f"but got {count} and {self.order}"
            )
        return order[:count]


def _convolution(
    op: str, inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1
) -> nn.Module:
    """[N, inputs, T] to [N, outputs, ⌈T / stride⌉], with batch normalization and a ReLU behind each
    convolution.
    """

    def layer(inputs: int, outputs: int, groups: int = 1) -> list[nn.Module]:
        padding = dilation * (kernel // 2)
        conv = nn.Conv1d(
            inputs, outputs, kernel, stride, padding, dilation, groups=groups, bias=False
        )
        return [conv, nn.BatchNorm1d(outputs), nn.ReLU()]

    if op == "conv":
        return nn.Sequential(*layer(inputs, outputs))
    pointwise = nn.Conv1d(inputs, outputs, 1, bias=False)
    return nn.Sequential(
        *layer(inputs, inputs, inputs), pointwise, nn.BatchNorm1d(outputs), nn.ReLU()
    )
