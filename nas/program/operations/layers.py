"""Layers: convolutions and matrix products."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from nas.program.biases import bias_units
from nas.program.operations.operation import Kernel, Requantized, image, keep_together
from nas.program.operations.windows import Window
from nas.program.tensors import ChannelMask, Shape, Signature, require
from nas.program.weights import IntegerWeights

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Conv", "Layer", "Linear"]

# 32-bit floats hold every integer up to here, so sums that stay below are exact in any order, by
# any kernel.
EXACT_FLOAT32 = 2**24


@dataclass(frozen=True, eq=False)
class Layer(Requantized):
    """An operation with weights [out, …] and biases int32 [out].

    Weights that are one object in several layers are those of a layer that is called again: files
    hold them once.
    """

    weights: IntegerWeights
    biases: NDArray[np.int32]

    @property
    def offsets(self) -> NDArray[np.float64]:
        """The biases in steps of the result, [out]."""
        return self.biases * bias_units(self.scaling, self.weights.level_bits)

    @abstractmethod
    def _products(self, x: "Tensor", weights: "Tensor") -> "Tensor":
        """The sums of products of a batch."""

    @abstractmethod
    def _multiplied(self, inputs: ChannelMask) -> NDArray[np.bool_]:
        """Which weights are multiplied with the given channels of the source, in a shape that
        broadcasts to theirs.
        """

    def _multiplier_count(self) -> int:
        return self.weights.shape[0]

    def _check_values(self, signature: Signature) -> None:
        self.weights.check()
        require(
            self.biases.shape == self.weights.shape[:1] and self.biases.dtype == np.int32,
            "biases must be int32, one for each channel",
        )
        super()._check_values(signature)

    def compiled(self, signature: Signature) -> Kernel:
        """Sums in 32-bit floats where those are exact, else in 64-bit ones."""
        import torch

        # On a GPU, convolutions of 32-bit floats may be transformed ones (Winograd, FFT), which round.
        summed_exactly = torch.get_default_device().type == "cpu"

        source, levels = signature.source, self.weights.levels
        furthest = max(source.zero, source.top - source.zero)
        rows = np.abs(levels.reshape(len(levels), -1)).sum(1, dtype=np.int64)
        exact = summed_exactly and int(rows.max()) * furthest < EXACT_FLOAT32
        weights = torch.as_tensor(levels).to(torch.float32 if exact else torch.float64)
        channels = (-1, *[1] * (len(signature.result.shape) - 1))
        factors = torch.as_tensor(self.scaling.factors).view(channels)
        halves = torch.as_tensor(self.offsets + 0.5).view(channels)
        units = bias_units(self.scaling, self.weights.level_bits).reshape(channels)

        def run(x: "Tensor") -> "Tensor":
            sums = self._products(x.to(weights.dtype), weights)
            # 64-bit floats hold all of it: 31 bits of the sum, 16 of the multiplier, and the 5 by
            # which a bias may be finer.
            return self._clamped((sums * factors).add_(halves), signature.result, units)

        return run

    def macs(self, signature: Signature) -> int:
        """One for each weight that goes into an element of the result."""
        return signature.result.size * prod(self.weights.shape[1:])

    def dead_channels(self, dead: Sequence[ChannelMask], signature: Signature) -> ChannelMask:
        """The channels whose least and largest possible sums both end at the zero point."""
        source, result = signature.source, signature.result
        # Those without zero points are summed in a fraction of the time while they are bytes.
        affine = self.weights.zero_points is not None
        levels: NDArray[np.signedinteger] = self.weights.levels if affine else self.weights.values
        if dead[0].any():
            levels = levels * self._multiplied(~dead[0])
        rows = levels.reshape(len(levels), -1)
        up = np.maximum(rows, 0).sum(1, dtype=np.int64)
        down = rows.sum(1, dtype=np.int64) - up
        furthest = source.top - source.zero
        ends = [up * furthest - down * source.zero, down * furthest - up * source.zero]
        reached = [
            (np.floor(end * self.scaling.factors + (self.offsets + 0.5)) + result.zero).clip(
                self.scaling.low, self.scaling.high
            )
            for end in ends
        ]
        silent: ChannelMask = (reached[0] == result.zero) & (reached[1] == result.zero)
        return silent

    def narrowed(self, source: ChannelMask, result: ChannelMask) -> Self:
        """The layer with the weights, biases and multipliers of the channels that are left."""
        return replace(
            self,
            weights=self.weights.take(result, self._taken(source)),
            biases=self.biases[result],
            scaling=replace(self.scaling, multipliers=self.scaling.multipliers[result]),
        )

    def _taken(self, source: ChannelMask) -> ChannelMask | None:
        """The inputs of each output channel that are left; None where all are."""
        return source


@dataclass(frozen=True, eq=False)
class Conv(Layer):
    """A grouped, strided, padded, dilated convolution; weights [out, in / groups, kh, kw]."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def window(self) -> Window:
        """The pixels that each element of the result is computed from."""
        kernel = self.weights.shape[2], self.weights.shape[3]
        return Window(kernel, self.stride, self.padding, self.dilation)

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """[out, H', W'], one element for each window."""
        channels, *size = image(shapes[0])
        shape, groups = self.weights.shape, self.groups
        require(len(shape) == 4, f"weights must be [out, in / groups, kh, kw], but are {shape}")
        fits = groups >= 1 and shape[0] % groups == 0 and shape[1] * groups == channels
        require(fits, f"weights {shape} in {groups} groups must fit {channels} channels")
        return shape[0], *self.window.counts(size)

    def _products(self, x: "Tensor", weights: "Tensor") -> "Tensor":
        from torch.nn.functional import conv2d

        return conv2d(x, weights, None, self.stride, self.padding, self.dilation, self.groups)

    def _multiplied(self, inputs: ChannelMask) -> NDArray[np.bool_]:
        # The input channels of each output channel: those of its group.
        out, each = self.weights.shape[:2]
        first = np.arange(out) // (out // self.groups) * each
        found: ChannelMask = inputs[first[:, np.newaxis] + np.arange(each)]
        return found[:, :, np.newaxis, np.newaxis]

    def keep_tied(self, sources: Sequence[ChannelMask], result: ChannelMask) -> None:
        """Without groups nothing is tied; with groups, unless depthwise, all channels stay."""
        (source,) = sources
        if self.groups == len(source) > 1:
            keep_together(source, result)
        elif self.groups > 1:
            source[:] = result[:] = True

    def narrowed(self, source: ChannelMask, result: ChannelMask) -> Self:
        """The layer of the channels that are left; a depthwise one has fewer groups."""
        layer = super().narrowed(source, result)
        depthwise = self.groups > 1 and self.groups == len(source)
        return replace(layer, groups=int(source.sum())) if depthwise else layer

    def _taken(self, source: ChannelMask) -> ChannelMask | None:
        return source if self.groups == 1 else None


@dataclass(frozen=True, eq=False)
class Linear(Layer):
    """A matrix product; weights [out, in]."""

    def result_shape(self, shapes: Sequence[Shape]) -> Shape:
        """[out]."""
        shape = self.weights.shape
        require(len(shape) == 2 and shapes[0] == shape[1:], f"weights {shape} must fit {shapes[0]}")
        return shape[:1]

    def _products(self, x: "Tensor", weights: "Tensor") -> "Tensor":
        return x @ weights.T

    def _multiplied(self, inputs: ChannelMask) -> NDArray[np.bool_]:
        return inputs[np.newaxis]

    def keep_tied(self, sources: Sequence[ChannelMask], result: ChannelMask) -> None:
        """Nothing is tied: any input and any output can be removed."""
