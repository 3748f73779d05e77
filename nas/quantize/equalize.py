"""Cross-layer equalization: channels of consecutive layers given weights of like magnitudes."""

from collections.abc import Iterator

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from nas.quantize.fold import folded
from nas.quantize.roles import Role, role

ROUNDS = 20

Layer = nn.Conv2d | nn.Linear
# What multiplies its result where its input is multiplied by a positive number, and keeps channels
# apart.
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


def equalized(model: nn.Module) -> fx.GraphModule:
    """A copy of a network with the same outputs, batch normalization folded in, made for one scale
    for all of a tensor.

    Where a layer is read by one other, through nothing but ReLUs and pooling, each channel between
    them is divided by √(r1 · r2) / r2, of the largest weights r1 that make it and r2 that read it,
    until nothing moves (Nagel et al., 2019).

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, or normalization does not follow a
            layer of its own.
    """
    traced = folded(model)
    pairs = list(_pairs(traced))
    with torch.no_grad():
        for _ in range(ROUNDS):
            for first, second in pairs:
                _equalize(first, second)
    return traced


def _pairs(traced: fx.GraphModule) -> Iterator[tuple[Layer, Tensor]]:
    """Each layer with a view of the weights that read its channels, [channels, …]."""
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
            assert isinstance(first, (nn.Conv2d, nn.Linear))
            assert isinstance(second, (nn.Conv2d, nn.Linear))
            read = _by_input(second, len(first.weight))
            if read is not None and targets.count(node.target) == 1:
                yield first, read


def _homogeneous(node: fx.Node, traced: fx.GraphModule) -> bool:
    if node.op == "call_module":
        return type(traced.get_submodule(str(node.target))) in _MODULES
    return node.target in _FUNCTIONS


def _by_input(layer: Layer, channels: int) -> Tensor | None:
    weight = layer.weight.detach()
    if isinstance(layer, nn.Linear):
        # Flattened images have each channel's pixels together.
        return torch.unflatten(weight, 1, (channels, -1)).transpose(0, 1)
    if layer.groups == 1:
        return weight.transpose(0, 1)
    return torch.unflatten(weight, 0, (channels, -1)) if layer.groups == channels else None


def _equalize(first: Layer, read: Tensor) -> None:
    made = torch.linalg.vector_norm(first.weight, torch.inf, tuple(range(1, first.weight.ndim)))
    heard = torch.linalg.vector_norm(read, torch.inf, tuple(range(1, read.ndim)))
    # A channel that is not made or not read has nothing to share.
    factor = torch.where((made > 0) & (heard > 0), (made * heard).sqrt() / heard, 1.0)
    first.weight.div_(factor.view(-1, *[1] * (first.weight.ndim - 1)))
    if first.bias is not None:
        first.bias.div_(factor)
    read.mul_(factor.view(-1, *[1] * (read.ndim - 1)))
