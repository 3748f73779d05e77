"""Weight sharing: the weights of a layer take few values, the entries of a codebook."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from compressors.kmeans import cluster
from compressors.left_alone import warn_of_left_alone
from compressors.positive_gains import make_gains_positive
from nas.layers import WeightLayer, layers_at, named_layers, replace_modules
from nas.mask import mask_of
from nas.quantize import (
    Codebook,
    integer_layer,
    shared_layer,
)
from nas.tracing import independent_copy

CODEBOOK_SIZES = range(2, 257)


@dataclass(frozen=True)
class Sharing:
    """Stores the weights of a layer as indices of a codebook with the chosen number of entries, 2
    to 256 (Han et al., 2016); 0 leaves a layer as it is.

    The entries are the centers of k-means and are trained, each with the sum of the gradients of
    its weights. If some weights are exactly 0, one entry is 0 and stays 0. A site covers every
    convolution and linear layer at or below it; if two sites cover the same layer, the inner one
    decides. Entries have the bit-width of their layer, and affine levels if it has them, whether it
    is quantized before or after; without quantization they have symmetric levels of 8 bits.

    Args:
        kind: the kind of choices that is applied
    """

    kind: str = "codebook_size"

    def apply(
        self,
        model: nn.Module,
        settings: Mapping[str, Hashable],
        example: Tensor,
    ) -> nn.Module:
        """The network with shared weights; gains of batch normalization after them stay positive, as
        `make_gains_positive` says.

        Raises:
            ValueError: if a codebook size is not 0 or in 2 … 256, a site holds no layer, or the
                weights have 1 bit or a codebook already.
            UnsupportedError: if torch.fx cannot trace the network.
        """
        sizes: dict[WeightLayer, int] = {}
        for site in sorted(settings, key=len):
            size = _check_size(settings[site], site)
            for name, layer in layers_at(model, site).items():
                _check_layer(layer, name, size)
                sizes[layer] = size
        shared = {layer: size for layer, size in sizes.items() if size}
        model = make_gains_positive(model, shared.keys(), example if len(example) else None)
        channels_last = any(map(_is_channels_last, model.parameters()))
        replacements: dict[nn.Module, nn.Module] = {
            layer: _shared(layer, size, channels_last) for layer, size in shared.items()
        }
        return replace_modules(model, replacements)


def share(
    model: nn.Module, entries: int | Mapping[str, int], example: Tensor | None = None
) -> nn.Module:
    """A copy of a network with a codebook of `entries` values in every layer, or of so many in the
    layers at each site.

    On `example`, a batch of inputs [N, …], it is checked that the network says the same before its
    weights are rounded. Layers that are left as they are, are named in a warning.

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
        ValueError: as Sharing does.
        UnsupportedError: if torch.fx cannot trace the network.
    """
    settings: Mapping[str, Hashable] = entries if isinstance(entries, Mapping) else {"": entries}
    shared = Sharing().apply(
        independent_copy(model), settings, torch.empty(0) if example is None else example
    )
    if isinstance(entries, int):
        warn_of_left_alone("share", shared)
    return shared


def shareable(model: nn.Module, entries: int) -> list[str]:
    """The names of the layers whose weights take fewer bytes with a codebook of `entries` values
    than at 8 bits each.

    >>> shareable(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)), 16)
    ['0']

    Raises:
        ValueError: if the number of entries is not in 2 … 256.
    """
    index_bits = (_check_size(entries, "every layer") - 1).bit_length()
    return [
        name
        for name, layer in named_layers(independent_copy(model)).items()
        if (8 - index_bits) * layer.weight.numel() > 8 * (entries + 1)
    ]


def _check_layer(layer: WeightLayer, name: str, size: int) -> None:
    integer = integer_layer(layer)
    if integer.entries is not None:
        raise ValueError(f"weights can be shared once, but those of {name!r} are shared already")
    if integer.bits == 1 and size:
        raise ValueError(
            f"weights of 1 bit have two values already: {name!r} must have 2 to 8 bits, or a codebook size of 0"
        )


def _is_channels_last(weights: Tensor) -> bool:
    return (
        weights.ndim == 4
        and weights.is_contiguous(memory_format=torch.channels_last)
        and not weights.is_contiguous()
    )


def _shared(layer: WeightLayer, entries: int, channels_last: bool) -> nn.Module:
    if (mask := mask_of(layer)) is not None:
        mask.after_step(1.0)  # weights that a schedule has yet to remove must not get entries
    weight = layer.weight.detach()
    flat = weight.to(torch.float64).flatten().numpy()
    kept = flat != 0.0
    values, assignments = np.zeros(entries), np.zeros(len(flat), np.int64)
    if kept.all():
        values, assignments = cluster(flat, entries)
    elif kept.any():
        # The first entry is 0, for the pruned weights alone.
        values[1:], nearest = cluster(flat[kept], entries - 1)
        assignments[kept] = nearest + 1
    integer = integer_layer(layer)
    places = torch.from_numpy(assignments).view(weight.shape)
    codebook = Codebook(
        torch.from_numpy(values).to(weight.dtype),
        places,
        integer.bits,
        integer.affine,
        channels_last,
    )
    return shared_layer(layer, codebook)


def _check_size(entries: Hashable, where: str) -> int:
    if (
        isinstance(entries, bool)
        or not isinstance(entries, int)
        or (entries not in CODEBOOK_SIZES and entries != 0)
    ):
        raise ValueError(
            f"a codebook size must be 0 or one of {CODEBOOK_SIZES[0]} … {CODEBOOK_SIZES[-1]}, but got {entries!r} at {where!r}"
        )
    return entries
