"""Cross-layer equalization: weights of consecutive layers balanced channel by channel."""

from collections.abc import Iterator

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from nas.layers import WeightLayer
from nas.quantize.fold import folded
from nas.quantize.insert import traced_network
from nas.quantize.roles import Role, role
from nas.quantize.weight_levels import channels
from nas.tracing import check_same_outputs, independent_copy

ROUNDS = 20

# Positively homogeneous, f(a · x) = a · f(x) for a > 0, and channel by channel.
_MODULES = (
    nn.ReLU,
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.Flatten,
)
_FUNCTIONS = (
    *(torch.relu, functional.relu, "relu", torch.flatten, "flatten"),
    *(functional.max_pool2d, functional.avg_pool2d, functional.adaptive_avg_pool2d),
)


def equalized(model: nn.Module, example: Tensor | None = None) -> fx.GraphModule:
    """A copy of a network with the same outputs whose weights suit one scale for a whole tensor;
    batch normalization is folded, and a softmax at the end left out.

    Between two layers with nothing but ReLUs and pooling in between, each channel is divided by
    √(r1 · r2) / r2, where r1 is the largest weight that makes it and r2 the largest that reads it,
    20 times over all pairs (Nagel et al., 2019). The outputs are compared on `example`, a batch
    [N, …], where it is given.

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, weights with normalization behind them
            share a codebook, or the outputs differ.
    """
    traced = folded(model, example)
    pairs = list(_pairs(traced))
    with torch.no_grad():
        for _ in range(ROUNDS):
            for first, second in pairs:
                _equalize(first, second)
    if example is not None:
        original = traced_network(independent_copy(model), example)
        check_same_outputs(original, traced, example, "equalized")
    return traced


def _pairs(traced: fx.GraphModule) -> Iterator[tuple[WeightLayer, Tensor]]:
    """The first layer of each pair, with a view of the weights that read its channels,
    [channels, …].
    """
    targets = [node.target for node in traced.graph.nodes if node.op == "call_module"]
    for node in traced.graph.nodes:
        if role(node, traced) is Role.LAYER:
            reader = node
            while len(reader.users) == 1 and (reader is node or _homogeneous(reader, traced)):
                reader = next(iter(reader.users))
            if (
                reader is node
                or role(reader, traced) is not Role.LAYER
                or targets.count(reader.target) > 1
            ):
                continue
            first, second = (
                traced.get_submodule(str(node.target)),
                traced.get_submodule(str(reader.target)),
            )
            assert isinstance(first, WeightLayer)
            assert isinstance(second, WeightLayer)
            read = _by_input(second, len(first.weight))
            if read is not None and targets.count(node.target) == 1:
                yield first, read


def _homogeneous(node: fx.Node, traced: fx.GraphModule) -> bool:
    if node.op == "call_module":
        return type(traced.get_submodule(str(node.target))) in _MODULES
    return node.target in _FUNCTIONS


def _by_input(layer: WeightLayer, count: int) -> Tensor | None:
    """The weights that read each of `count` channels, [channels, …]; None if groups mix them."""
    weight = layer.weight.detach()
    if isinstance(layer, nn.Linear):
        if weight.shape[1] % count:
            return None  # it reads something else than the channels
        # The pixels of a channel are next to each other in a flattened image.
        return torch.unflatten(weight, 1, (count, -1)).transpose(0, 1)
    if layer.groups == 1:
        return weight.transpose(0, 1)
    return torch.unflatten(weight, 0, (count, -1)) if layer.groups == count else None


def _equalize(first: WeightLayer, read: Tensor) -> None:
    made = torch.linalg.vector_norm(first.weight, torch.inf, tuple(range(1, first.weight.ndim)))
    used = torch.linalg.vector_norm(read, torch.inf, tuple(range(1, read.ndim)))
    # A channel whose weights on one side are all 0 cannot be balanced.
    factor = torch.where((made > 0) & (used > 0), (made * used).sqrt() / used, 1.0)
    first.weight.div_(channels(factor, first.weight))
    if first.bias is not None:
        first.bias.div_(factor)
    read.mul_(channels(factor, read))
