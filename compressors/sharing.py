"""Weights that share few values, found by k-means."""

import copy
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from nas.layers import layers_at
from nas.mask import mask_of
from nas.quantize import (
    Codebook,
    integer_layer,
    shared_layer,
    traced_network,
    with_positive_gains,
)

ENTRIES = range(2, 257)
ROUNDS = 100

Vector = NDArray[np.float64]
Layer = nn.Conv2d | nn.Linear


@dataclass(frozen=True)
class Sharing:
    """The weights of a layer share the chosen 2 to 256 values, and are stored as indices and a
    codebook (Han et al., 2016).

    Values are the centers of k-means and are trained on, each with the sum of the gradients of its
    weights. Where weights are exactly 0, one value is 0 and stays it. An option of 0 leaves a layer
    as it is. A site stands for every convolution and linear layer at or below it; where two sites
    hold the same layer, the inner one decides. Layers that are quantized before or after keep their
    bits for the values, and whether these are affine; others have symmetric values of 8 bits.
    """

    kind: str = "codes"

    def apply(
        self,
        model: nn.Module,
        settings: Mapping[str, Hashable],
        example: Tensor,  # noqa: ARG002
    ) -> nn.Module:
        """The network with shared weights; batch normalization behind them keeps positive gains.

        Raises:
            ValueError: if a number of values is not 0 or in 2 … 256, a site holds no layer, or the
                weights have 1 bit.
            UnsupportedError: if torch.fx cannot trace the network.
        """
        entries: dict[nn.Module, int] = {}
        for site in sorted(settings, key=len):
            chosen = _check_entries(settings[site], site)
            for name, layer in layers_at(model, site).items():
                if integer_layer(layer).entries is not None:
                    raise ValueError(
                        f"weights can be shared once, but those of {name!r} are shared already"
                    )
                if integer_layer(layer).bits == 1 and chosen:
                    raise ValueError(
                        f"weights of 1 bit have two values already: {name!r} must have 2 to 8 bits, or 0 codes"
                    )
                entries[layer] = chosen
        replaced: dict[nn.Module, nn.Module] = {
            norm: with_positive_gains(norm, layer)
            for layer, norm in _norms(model)
            if entries.get(layer)
        }
        replaced |= {layer: _shared(layer, count) for layer, count in entries.items() if count}
        # A layer that is used twice may have several names.
        for name, module in list(model.named_modules(remove_duplicate=False)):
            if module in replaced:
                model.set_submodule(name, replaced[module])
        return model


def share(model: nn.Module, entries: int | Mapping[str, int]) -> nn.Module:
    """A copy of a network whose layers share so many values each, or those at each site so many.

    >>> import torch
    >>> from torch import nn
    >>> from nas.lowering import lower
    >>> from nas.packed import pack
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    >>> shared = share(model, {"0": 16})
    >>> len(shared[0].weight.unique())
    16
    >>> images = torch.rand(8, 64)
    >>> len(pack(lower(shared, images))) < len(pack(lower(model, images))) - 64 * 100 * 4 // 8 + 100
    True

    Raises:
        ValueError: if a number of values is not 0 or in 2 … 256, a site holds no layer, or the
            weights have 1 bit.
        UnsupportedError: if torch.fx cannot trace the network.
    """
    settings: Mapping[str, Hashable] = entries if isinstance(entries, Mapping) else {"": entries}
    return Sharing().apply(copy.deepcopy(model), settings, torch.empty(0))


def shareable(model: nn.Module, entries: int) -> list[str]:
    """The names of the layers whose weights take fewer bytes as indices of so many values and these
    than at 8 bits each.

    >>> shareable(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)), 16)
    ['0']

    Raises:
        ValueError: if the number of values is not in 2 … 256.
    """
    width = (_check_entries(entries, "every layer") - 1).bit_length()
    layers = (
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    )
    return [
        name for name, layer in layers if (8 - width) * layer.weight.numel() > 8 * (entries + 1)
    ]


def cluster(weights: Vector, entries: int) -> tuple[Vector, NDArray[np.intp]]:
    """Centers [entries], ascending, of k-means on weights [N], and the index of each weight's.

    Centers begin evenly between the smallest and the largest weight, which keeps the rare large
    ones (Han et al., 2016). One that is nearest to no weight moves to the weight that is farthest
    from its own.
    """
    order = np.sort(weights)
    sums = np.concatenate([[0.0], np.cumsum(order)])
    centers = np.linspace(order[0], order[-1], entries)
    for _ in range(ROUNDS):
        # In one dimension, clusters are the spans of sorted weights between the middles of centers.
        cuts = np.concatenate(
            [[0], np.searchsorted(order, (centers[1:] + centers[:-1]) / 2), [len(order)]]
        )
        counts = np.diff(cuts)
        moved = np.where(counts > 0, np.diff(sums[cuts]) / np.maximum(counts, 1), centers)
        moved = moved[counts > 0]
        while len(moved) < entries:
            moved = np.sort(np.append(moved, _farthest(order, moved)))
        if np.array_equal(moved, centers):
            break
        centers = moved
    return centers, _nearest(weights, centers)


def _nearest(weights: Vector, centers: Vector) -> NDArray[np.intp]:
    """The index of the nearest of ascending centers for each weight."""
    return np.searchsorted((centers[1:] + centers[:-1]) / 2, weights)


def _farthest(weights: Vector, centers: Vector) -> float:
    """The weight that is farthest from the nearest center."""
    return float(weights[np.abs(weights - centers[_nearest(weights, centers)]).argmax()])


def _shared(layer: nn.Module, entries: int) -> nn.Module:
    assert isinstance(layer, (nn.Conv2d, nn.Linear))
    if (mask := mask_of(layer)) is not None:
        mask.after_step(1.0)  # what is to go must be 0 before values are found for the rest
    weight = layer.weight.detach()
    flat = weight.to(torch.float64).flatten().numpy()
    kept = flat != 0.0
    values, assignments = np.zeros(entries), np.zeros(len(flat), np.int64)
    if kept.all():
        values, assignments = cluster(flat, entries)
    elif kept.any():
        # Pruned weights have the first value to themselves.
        values[1:], found = cluster(flat[kept], entries - 1)
        assignments[kept] = found + 1
    integer = integer_layer(layer)
    places = torch.from_numpy(assignments).view(weight.shape)
    codebook = Codebook(
        torch.from_numpy(values).to(weight.dtype), places, integer.bits, integer.affine
    )
    return shared_layer(layer, codebook)


def _norms(model: nn.Module) -> list[tuple[Layer, nn.BatchNorm1d | nn.BatchNorm2d]]:
    """Layers, with the normalization that reads them where it has gains."""
    traced = model if isinstance(model, fx.GraphModule) else traced_network(model)
    modules = {
        node: traced.get_submodule(str(node.target))
        for node in traced.graph.nodes
        if node.op == "call_module"
    }
    found: list[tuple[Layer, nn.BatchNorm1d | nn.BatchNorm2d]] = []
    for node, layer in modules.items():
        norm = modules.get(next(iter(node.users)))
        if (
            isinstance(layer, (nn.Conv2d, nn.Linear))
            and isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d))
            and norm.affine
        ):
            found.append((layer, norm))
    return found


def _check_entries(entries: Hashable, where: str) -> int:
    if (
        isinstance(entries, bool)
        or not isinstance(entries, int)
        or (entries not in ENTRIES and entries != 0)
    ):
        raise ValueError(
            f"codes must be 0 or one of {ENTRIES.start} … {ENTRIES.stop - 1}, but got {entries!r} at {where!r}"
        )
    return entries
