"""Compressed networks that are not trained again: their channels are given statistics instead."""

from collections.abc import Hashable, Mapping, Sequence

from torch import Tensor, nn

from nas.compress import Compressor, Matcher, compress
from nas.layers import named_layers


def compress_and_match(
    model: nn.Module,
    design: Mapping[str, Hashable],
    compressors: Sequence[Compressor],
    example: Tensor,
) -> nn.Module:
    """A compressed copy of `model`, as `compress` makes it, whose channels have the means and
    spreads in floats, where a compressor is a `Matcher`.

    They are those of the network before compression, or, where channels were pruned since, right
    after that: channels are matched with the same ones in floats. `example` is a batch of training
    inputs, [N, …].
    """
    stages = [model]
    for compressor in compressors:
        stages.append(compress(stages[-1], design, (compressor,), example))
        if isinstance(compressor, Matcher):
            floating = next(stage for stage in stages if _same_channels(stage, stages[-1]))
            compressor.match(stages[-1], floating, example.clone())
    return stages[-1]


def _same_channels(one: nn.Module, other: nn.Module) -> bool:
    """Whether layers that two networks have in common have as many output channels in both."""
    layers = named_layers(one)
    return all(
        layer.weight.shape[0] == layers[name].weight.shape[0]
        for name, layer in named_layers(other).items()
        if name in layers
    )
