"""Transposed convolutions as convolutions of images with zeros between their pixels."""

from collections.abc import Sequence
from typing import TypeGuard

from torch import Tensor, nn

from nas.mask import WeightMask, mask_of
from nas.tracing.own_layers import is_plain
from nas.tracing.unsupported import UnsupportedError

Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d


class Spread(nn.Module):
    """Signals [N, C, L] or images [N, C, H, W] with `factors` - 1 zeros between neighbours, and `ends`
    more behind the last, along each dimension.

    >>> import torch
    >>> Spread((2,), (1,))(torch.ones(1, 1, 3)).tolist()
    [[[1.0, 0.0, 1.0, 0.0, 1.0, 0.0]]]

    Raises:
        ValueError: if a factor is not 1 or more, or an end is negative.
    """

    def __init__(self, factors: Sequence[int], ends: Sequence[int]) -> None:
        super().__init__()
        if len(factors) != len(ends) or min(factors) < 1 or min(ends) < 0:
            raise ValueError(
                f"factors must be 1 or more and ends 0 or more, as many of each, but got {factors} and {ends}"
            )
        self.factors, self.ends = tuple(factors), tuple(ends)

    def forward(self, x: Tensor) -> Tensor:
        """The spread signals or images: of n elements become factor · (n - 1) + 1 + end."""
        taken = [factor * (n - 1) + 1 for factor, n in zip(self.factors, x.shape[2:], strict=True)]
        sizes = [n + end for n, end in zip(taken, self.ends, strict=True)]
        spread = x.new_zeros(*x.shape[:2], *sizes)
        places = [slice(0, n, factor) for n, factor in zip(taken, self.factors, strict=True)]
        spread[(slice(None), slice(None), *places)] = x
        return spread

    def extra_repr(self) -> str:
        """Factors and ends."""
        return f"{self.factors}, {self.ends}"


def has_convolution(module: nn.Module) -> TypeGuard[Transposed]:
    """Whether `as_convolution` can rewrite a module: a transposed convolution of torch that pads with
    at most dilation · (kernel_size - 1), beyond which it cuts off what it computed.
    """
    return (
        isinstance(module, Transposed)
        and is_plain(module)
        and all(margin >= 0 for margin in _margins(module))
    )


def _margins(layer: Transposed) -> list[int]:
    """The zeros that the convolution adds on each side, for each dimension."""
    assert not isinstance(layer.padding, str)
    axes = zip(layer.dilation, layer.kernel_size, layer.padding, strict=True)
    return [dilation * (kernel - 1) - padding for dilation, kernel, padding in axes]


def as_convolution(layer: Transposed) -> nn.Module:
    """What says the same as a transposed convolution: an ordinary one, with the kernels turned around
    and inputs and outputs exchanged (Dumoulin and Visin, 2016), after a `Spread` where pixels move
    apart. Its weights are copies.
    """
    convolves = nn.Conv1d if isinstance(layer, nn.ConvTranspose1d) else nn.Conv2d
    conv = convolves(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type] # of as many dimensions
        padding=tuple(_margins(layer)),  # type: ignore[arg-type]
        dilation=layer.dilation,  # type: ignore[arg-type]
        groups=layer.groups,
        bias=layer.bias is not None,
        device="meta",
    )
    weight = _exchanged(layer.weight.detach(), layer.groups)
    conv.weight = nn.Parameter(weight, layer.weight.requires_grad)
    conv.bias = layer.bias
    if (mask := mask_of(layer)) is not None:
        kept = _exchanged(mask.kept, layer.groups)
        conv.mask = WeightMask(conv.weight, kept.double(), int(kept.sum()), None, lambda _: 1.0)
    conv.train(layer.training)
    if max(layer.stride) == 1 and not any(layer.output_padding):
        return conv
    return _Upsampling(Spread(layer.stride, layer.output_padding), conv).train(layer.training)


class _Upsampling(nn.Sequential):
    def forward(self, input: Tensor, output_size: object = None) -> Tensor:  # noqa: A002 - torch's names
        if output_size is not None:
            raise UnsupportedError(
                f"a transposed convolution must be made with its output_padding, not called with output_size={output_size}"
            )
        for layer in self:
            input = layer(input)  # noqa: A001
        return input


def _exchanged(weight: Tensor, groups: int) -> Tensor:
    """[in, out / groups, …] as [out, in / groups, …], turned around."""
    inputs, outputs = weight.shape[0] // groups, weight.shape[1]
    grouped = weight.reshape(groups, inputs, outputs, *weight.shape[2:]).transpose(1, 2)
    turned = grouped.flip(tuple(range(3, grouped.ndim)))
    return turned.reshape(groups * outputs, inputs, *weight.shape[2:]).contiguous()
