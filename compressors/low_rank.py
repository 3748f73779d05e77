"""Low-rank factors: a layer becomes two or three thinner ones that compute nearly the same."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from nas.layers import layers_at

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)
Method = Literal["spatial", "tucker"]
Rank = Callable[[Tensor], int]
"""From singular values, in falling order, to how many of them are kept."""


def by_ratio(ratio: Hashable) -> Rank:
    """The share `ratio` of the full rank, in (0, 1], at least 1: what it keeps does not depend on
    the weights.

    Raises:
        ValueError: if the ratio is out of range.
    """
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0.0 < ratio <= 1.0:
        raise ValueError(f"a ratio of the rank must be above 0 and at most 1, but got {ratio!r}")
    share = float(ratio)
    return lambda values: max(1, math.floor(share * len(values)))


def by_energy(energy: float) -> Rank:
    """The fewest that hold the share `energy`, in (0, 1], of the sum of squares.

    Raises:
        ValueError: if the energy is out of range.
    """
    if not 0.0 < energy <= 1.0:
        raise ValueError(f"an energy must be above 0 and at most 1, but got {energy!r}")

    def rank(values: Tensor) -> int:
        held = values.double().square().cumsum(0)
        # Rounding may leave the last sums a little below the whole.
        return min(int((held < energy * held[-1] * (1 - 1e-9)).sum()) + 1, len(values))

    return rank


def factorized(layer: nn.Module, rank: Rank, method: Method = "spatial") -> nn.Module:
    """The factors of a layer as `nn.Sequential`, or the layer itself where they would not have
    fewer weights.

    A linear layer becomes two by singular values. A convolution becomes one of columns and one of
    rows ("spatial", Jaderberg et al., 2014), or a reduction of its input channels, a smaller
    convolution and an expansion ("tucker", Kim et al., 2016); one of 1x1 is a linear layer,
    whatever the method.

    Raises:
        ValueError: if the layer is a convolution in groups, or neither a convolution nor a linear
            layer.
    """
    factors: Sequence[nn.Linear | nn.Conv2d]
    if isinstance(layer, nn.Linear):
        factors = _linear(layer, rank)
    elif not isinstance(layer, nn.Conv2d):
        raise ValueError(
            f"a layer must be a convolution or linear to be factorized, but is a {type(layer).__name__}"
        )
    elif layer.groups > 1:
        raise ValueError(
            f"a convolution must have one group to be factorized, but has {layer.groups}: its channels share no rank; leave it out"
        )
    elif method == "tucker" and layer.kernel_size != (1, 1):
        factors = _tucker(layer, rank)
    else:
        factors = _spatial(layer, rank)
    fewer = sum(factor.weight.numel() for factor in factors) < layer.weight.numel()
    return nn.Sequential(*factors) if fewer else layer


@dataclass(frozen=True)
class LowRank:
    """Factorizes the layers at each site to the chosen share of their full rank; 1 leaves a layer
    whole.

    Convolutions in groups stay as they are. A layer whose factors would have as many weights stays
    too, so nothing grows. The factors are called 0, 1, … below the name of the layer: choices at
    its site apply to all of them.
    """

    method: Method = "spatial"
    kind: str = "rank"

    def apply(
        self,
        model: nn.Module,
        settings: Mapping[str, Hashable],
        example: Tensor,  # noqa: ARG002
    ) -> nn.Module:
        """The network with factors in the places of layers.

        Raises:
            ValueError: if a ratio is not in (0, 1], or a site has only convolutions in groups.
        """
        chosen: dict[nn.Module, Rank | None] = {}
        for site in sorted(settings, key=len):
            ratio = settings[site]
            rank = by_ratio(ratio)
            layers = [layer for layer in layers_at(model, site).values() if not _is_grouped(layer)]
            if not layers:
                raise ValueError(
                    f"a site must hold a layer without groups to have a rank, but {site!r} has none"
                )
            chosen |= dict.fromkeys(layers, None if ratio == 1 else rank)
        replaced = {
            layer: factorized(layer, rank, self.method)
            for layer, rank in chosen.items()
            if rank is not None
        }
        return _with(model, replaced)


def factorizable(model: nn.Module, ratio: float, method: Method = "spatial") -> list[str]:
    """The names of the layers that have fewer weights in factors of the share `ratio` of their
    rank.

    >>> factorizable(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)), 0.5)
    ['0']

    Raises:
        ValueError: if the ratio is not in (0, 1].
    """
    rank, found = by_ratio(ratio), list[str]()
    for name, layer in model.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            with suppress(ValueError):
                found += [name] if factorized(layer, rank, method) is not layer else []
    return found


def _is_grouped(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups > 1


def _halves(matrix: Tensor, rank: Rank) -> tuple[Tensor, Tensor]:
    """[rows, r] and [r, columns], whose product is the nearest of rank r; the singular values are
    shared out evenly.
    """
    left, values, right = torch.linalg.svd(matrix.detach().double(), full_matrices=False)
    kept = rank(values)
    roots = values[:kept].sqrt()
    return (left[:, :kept] * roots).to(matrix.dtype), (roots[:, None] * right[:kept]).to(
        matrix.dtype
    )


def _linear(layer: nn.Linear, rank: Rank) -> list[nn.Linear]:
    out, into = _halves(layer.weight, rank)
    first = nn.Linear(layer.in_features, len(into), bias=False, device="meta")
    second = nn.Linear(len(into), layer.out_features, bias=layer.bias is not None, device="meta")
    return [_given(first, into, None), _given(second, out, layer.bias)]


def _spatial(layer: nn.Conv2d, rank: Rank) -> list[nn.Conv2d]:
    outputs, inputs, height, width = layer.weight.shape
    right, left = _halves(
        layer.weight.permute(0, 3, 1, 2).reshape(outputs * width, inputs * height), rank
    )
    size = len(left)
    columns = _conv(layer, inputs, size, 0)
    rows = _conv(layer, size, outputs, 1, bias=layer.bias is not None)
    return [
        _given(columns, left.view(size, inputs, height, 1), None),
        _given(
            rows,
            right.view(outputs, width, size).permute(0, 2, 1).reshape(outputs, size, 1, width),
            layer.bias,
        ),
    ]


def _conv(layer: nn.Conv2d, inputs: int, outputs: int, axis: int, bias: bool = False) -> nn.Conv2d:
    """A convolution along one axis that strides, pads and dilates as `layer` does there."""

    def along(pair: tuple[int, ...], rest: int) -> tuple[int, int]:
        return (pair[0], rest) if axis == 0 else (rest, pair[1])

    _check_padding(layer)
    kernel, stride, dilation = (
        along(layer.kernel_size, 1),
        along(layer.stride, 1),
        along(layer.dilation, 1),
    )
    assert not isinstance(layer.padding, str)
    return nn.Conv2d(
        inputs, outputs, kernel, stride, along(layer.padding, 0), dilation, bias=bias, device="meta"
    )


def _tucker(layer: nn.Conv2d, rank: Rank) -> list[nn.Conv2d]:
    weight = layer.weight.detach().double()
    outer, inner = _basis(weight.flatten(1), rank), _basis(weight.transpose(0, 1).flatten(1), rank)
    for _ in range(3):  # higher-order orthogonal iteration: each basis given the other
        outer = _basis(torch.einsum("oihw,ir->orhw", weight, inner).flatten(1), _fixed(outer))
        inner = _basis(torch.einsum("oihw,or->irhw", weight, outer).flatten(1), _fixed(inner))
    core = torch.einsum("oihw,or,is->rshw", weight, outer, inner)
    _check_padding(layer)
    outputs, inputs = weight.shape[:2]
    reduce = nn.Conv2d(inputs, inner.shape[1], 1, bias=False, device="meta")
    geometry = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    middle = nn.Conv2d(inner.shape[1], outer.shape[1], *geometry, bias=False, device="meta")  # type: ignore[arg-type]
    expand = nn.Conv2d(outer.shape[1], outputs, 1, bias=layer.bias is not None, device="meta")
    dtype = layer.weight.dtype
    return [
        _given(reduce, inner.T[:, :, None, None].to(dtype), None),
        _given(middle, core.to(dtype), None),
        _given(expand, outer[:, :, None, None].to(dtype), layer.bias),
    ]


def _basis(unfolded: Tensor, rank: Rank) -> Tensor:
    """The leading left singular vectors, as columns."""
    left, values, _ = torch.linalg.svd(unfolded, full_matrices=False)
    leading: Tensor = left[:, : rank(values)]
    return leading


def _fixed(basis: Tensor) -> Rank:
    return lambda _: basis.shape[1]


def _check_padding(layer: nn.Conv2d) -> None:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise ValueError(
            f"a convolution must pad with a number of zeros to be factorized, but has {layer.padding_mode!r}, {layer.padding!r}"
        )


def _given(factor: Layer, weight: Tensor, bias: Tensor | None) -> Layer:
    factor.weight = nn.Parameter(weight.contiguous())
    if bias is not None:
        factor.bias = nn.Parameter(bias)
    return factor


def factorize(model: nn.Module, rank: Rank, method: Method = "spatial") -> nn.Module:
    """Factorizes every linear layer and convolution without groups of a network; see `factorized`.

    >>> model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    >>> [weight.numel() for weight in factorize(model, by_ratio(0.25)).parameters() if weight.ndim == 2]
    [512, 256, 64, 20]
    """
    layers = [
        layer
        for layer in model.modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and not _is_grouped(layer)
    ]
    return _with(model, {layer: factorized(layer, rank, method) for layer in layers})


def _with(model: nn.Module, replaced: Mapping[nn.Module, nn.Module]) -> nn.Module:
    """The network with other layers in the places of some, under all names that they have."""
    if model in replaced:
        return replaced[model]
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if module in replaced:
            model.set_submodule(name, replaced[module])
    return model
