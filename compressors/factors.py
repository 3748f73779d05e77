"""Low-rank factors of a layer: two or three thinner layers that approximate it."""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from nas.layers import Convolution, WeightLayer

Method = Literal["spatial", "tucker"]
"""How a convolution is factorized: into columns and rows, or into a smaller convolution between two
of 1x1.
"""

Rank = Callable[[Tensor], int]
"""From singular values, in falling order, to how many of them are kept."""

Factor = TypeVar("Factor", nn.Conv1d, nn.Conv2d, nn.Linear)


def by_ratio(ratio: Hashable) -> Rank:
    """The share `ratio` of the full rank, in (0, 1], but at least 1, whatever the weights are.

    Raises:
        ValueError: if the ratio is out of range.
    """
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0.0 < ratio <= 1.0:
        raise ValueError(f"a rank ratio must be above 0 and at most 1, but got {ratio!r}")
    share = float(ratio)
    return lambda values: max(1, math.floor(share * len(values)))


def by_energy(energy: float) -> Rank:
    """The smallest rank whose singular values have the share `energy`, in (0, 1], of the sum of
    squares.

    Raises:
        ValueError: if the energy is out of range.
    """
    if not 0.0 < energy <= 1.0:
        raise ValueError(f"an energy must be above 0 and at most 1, but got {energy!r}")

    def rank(values: Tensor) -> int:
        held = values.double().square().cumsum(0)
        # The tolerance is for rounding, which may leave the last sums below the total.
        return min(int((held < energy * held[-1] * (1 - 1e-9)).sum()) + 1, len(values))

    return rank


def is_grouped(layer: nn.Module) -> bool:
    """Whether a layer is a convolution in groups, which has no rank of its own."""
    return isinstance(layer, Convolution) and layer.groups > 1


def factorized(layer: nn.Module, rank: Rank, method: Method = "spatial") -> nn.Module:
    """The factors of a layer in an `nn.Sequential`, or the layer itself if they would not have
    fewer weights.

    A linear layer becomes two, by its singular values. A convolution becomes one of columns and one
    of rows ("spatial", Jaderberg et al., 2014), or a reduction of its input channels, a smaller
    convolution and an expansion ("tucker", Kim et al., 2016). A convolution of 1x1 is factorized
    like a linear layer by either method, and one of signals into one of the same windows and one of
    single elements.

    Raises:
        ValueError: if the layer is neither linear nor a convolution, or is a convolution in groups
            or with padding other than a number of zeros.
    """
    if not isinstance(layer, WeightLayer):
        raise ValueError(
            f"a layer must be a convolution or linear to be factorized, but is a {type(layer).__name__}"
        )
    factors: Sequence[WeightLayer]
    if isinstance(layer, nn.Linear):
        factors = _linear(layer, rank)
    elif layer.groups > 1:
        raise ValueError(
            f"a convolution must have one group to be factorized, but has {layer.groups}: its channels share no rank; leave it out"
        )
    elif isinstance(layer, nn.Conv1d):
        factors = _of_signals(layer, rank)
    elif method == "tucker" and layer.kernel_size != (1, 1):
        factors = _tucker(layer, rank)
    else:
        factors = _spatial(layer, rank)
    fewer = sum(factor.weight.numel() for factor in factors) < layer.weight.numel()
    return nn.Sequential(*factors) if fewer else layer


def _halves(matrix: Tensor, rank: Rank) -> tuple[Tensor, Tensor]:
    """[rows, r] and [r, columns], whose product is the nearest matrix of rank r; each has the
    square roots of the singular values.
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
    return [_with_weights(first, into, None), _with_weights(second, out, layer.bias)]


def _of_signals(layer: nn.Conv1d, rank: Rank) -> list[nn.Conv1d]:
    out, into = _halves(layer.weight.flatten(1), rank)
    geometry = layer.kernel_size, layer.stride, layer.padding, layer.dilation
    first = nn.Conv1d(
        layer.in_channels,
        len(into),
        *geometry,  # type: ignore[arg-type]
        bias=False,
        padding_mode=layer.padding_mode,
        device="meta",
    )
    bias = layer.bias is not None
    second = nn.Conv1d(len(into), layer.out_channels, 1, bias=bias, device="meta")
    return [
        _with_weights(first, into.view(len(into), *layer.weight.shape[1:]), None),
        _with_weights(second, out[..., None], layer.bias),
    ]


def _spatial(layer: nn.Conv2d, rank: Rank) -> list[nn.Conv2d]:
    outputs, inputs, height, width = layer.weight.shape
    right, left = _halves(
        layer.weight.permute(0, 3, 1, 2).reshape(outputs * width, inputs * height), rank
    )
    size = len(left)
    columns = _along_axis(layer, inputs, size, axis=0, bias=False)
    rows = _along_axis(layer, size, outputs, axis=1, bias=layer.bias is not None)
    of_rows = right.view(outputs, width, size).permute(0, 2, 1).reshape(outputs, size, 1, width)
    return [
        _with_weights(columns, left.view(size, inputs, height, 1), None),
        _with_weights(rows, of_rows, layer.bias),
    ]


def _along_axis(layer: nn.Conv2d, inputs: int, outputs: int, axis: int, bias: bool) -> nn.Conv2d:
    """A convolution along one axis, with the stride, padding and dilation of `layer` there."""

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
        outer = _basis(torch.einsum("oihw,ir->orhw", weight, inner).flatten(1), _as_wide_as(outer))
        inner = _basis(torch.einsum("oihw,or->irhw", weight, outer).flatten(1), _as_wide_as(inner))
    core = torch.einsum("oihw,or,is->rshw", weight, outer, inner)
    _check_padding(layer)
    outputs, inputs = weight.shape[:2]
    reduce = nn.Conv2d(inputs, inner.shape[1], 1, bias=False, device="meta")
    geometry = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    middle = nn.Conv2d(inner.shape[1], outer.shape[1], *geometry, bias=False, device="meta")  # type: ignore[arg-type]
    expand = nn.Conv2d(outer.shape[1], outputs, 1, bias=layer.bias is not None, device="meta")
    dtype = layer.weight.dtype
    return [
        _with_weights(reduce, inner.T[:, :, None, None].to(dtype), None),
        _with_weights(middle, core.to(dtype), None),
        _with_weights(expand, outer[:, :, None, None].to(dtype), layer.bias),
    ]


def _basis(unfolded: Tensor, rank: Rank) -> Tensor:
    """The leading left singular vectors, as columns."""
    left, values, _ = torch.linalg.svd(unfolded, full_matrices=False)
    leading: Tensor = left[:, : rank(values)]
    return leading


def _as_wide_as(basis: Tensor) -> Rank:
    return lambda _: basis.shape[1]


def _check_padding(layer: nn.Conv2d) -> None:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise ValueError(
            f"a convolution must pad with a number of zeros to be factorized, but has {layer.padding_mode!r}, {layer.padding!r}"
        )


def _with_weights(factor: Factor, weight: Tensor, bias: Tensor | None) -> Factor:
    factor.weight = nn.Parameter(weight.contiguous())
    if bias is not None:
        factor.bias = nn.Parameter(bias)
    return factor
