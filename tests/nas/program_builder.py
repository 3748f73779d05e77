"""Programs that grow by one operation at a time, with drawn numbers."""

import dataclasses
from collections.abc import Callable, Sequence
from math import gcd, prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    EdgeAvgPool,
    EdgeMaxPool,
    Flatten,
    Gather,
    Linear,
    Lut,
    MaxPool,
    Mul,
    Operation,
    Pad,
    PRelu,
    Requantized,
    Reshape,
    SameScale,
    Slice,
    Spread,
    Upsample,
)
from nas.program.program import Program
from nas.program.scaling import MAX_SHIFT, MIN_SHIFT, Scaling
from nas.program.tensors import Shape, TensorType
from nas.program.weights import IntegerWeights

Numbers = Callable[[int, int, int], NDArray[np.int64]]


Option = TypeVar("Option")


Pair = tuple[int, int]


LARGEST = 2000


class Builder:
    """A program that grows by one operation at a time; what is not given is drawn from
    `numbers(low, high, count)`.
    """

    def __init__(self, shape: Shape, numbers: Numbers) -> None:
        self.numbers = numbers
        self.tensors = [TensorType(shape, self.scale(), self.one(0, 255), 8)]
        self.operations: list[Operation] = []

    def program(self) -> Program:
        """The appended operations, and a Flatten if there are none or the last result is an image."""
        if len(self.tensors[-1].shape) > 1 or not self.operations:
            self.flatten(len(self.operations))
        return Program(tuple(self.tensors), tuple(self.operations))

    def grow(self, kind: type[Operation]) -> None:
        """Appends an operation of `kind` to a tensor that it can read, mostly the last; does nothing
        if there is none.
        """
        images = (Conv, MaxPool, EdgeMaxPool, AvgPool, EdgeAvgPool, Upsample, Pad, Spread, Slice)
        rank = {**dict.fromkeys(images, 3), Linear: 1}.get(kind)
        fitting = [
            i
            for i, tensor in enumerate(self.tensors)
            if rank in (None, len(tensor.shape)) and tensor.size <= LARGEST
        ]
        if fitting:
            APPEND[kind](self, fitting[-1] if self.one(0, 2) else self.choice(fitting))

    def conv(
        self,
        source: int,
        weights: NDArray[np.int8] | None = None,
        bits: int | None = None,
        groups: int | None = None,
        affine: bool | None = None,
    ) -> int:
        channels, *size = self.tensors[source].shape
        bits, groups = (
            bits or self.one(1, 8),
            groups or self.choice([1, channels, gcd(channels, 2)]),
        )
        affine = self.affine(weights, bits) if affine is None else affine
        if weights is None:
            weights = self.weights(
                (groups * self.one(1, 3), channels // groups, *(self.one(1, n) for n in size)),
                bits,
                affine,
            )
        kernel, dilation = weights.shape[2:], (1, self.one(1, 2) if weights.shape[3] == 1 else 1)
        padding, out = (self.one(0, kernel[0] - 1), self.one(0, kernel[1] - 1)), len(weights)
        biases, scaling, geometry = (
            self.biases(out),
            self.scaling(out),
            (self.pair(1, 3), padding, dilation, groups),
        )
        zeros = self.zero_points(out, bits) if affine else None
        integers = IntegerWeights(weights, bits, zeros)
        return self.append(Conv("conv", (source,), scaling, integers, biases, *geometry))

    def linear(
        self,
        source: int,
        weights: NDArray[np.int8] | None = None,
        bits: int | None = None,
        affine: bool | None = None,
    ) -> int:
        bits = bits or self.one(1, 8)
        affine = self.affine(weights, bits) if affine is None else affine
        if weights is None:
            weights = self.weights((self.one(1, 9), self.tensors[source].size), bits, affine)
        biases, scaling = self.biases(len(weights)), self.scaling(len(weights))
        zeros = self.zero_points(len(weights), bits) if affine else None
        integers = IntegerWeights(weights, bits, zeros)
        return self.append(Linear("linear", (source,), scaling, integers, biases))

    def add(self, source: int) -> int:
        same = [
            i for i, tensor in enumerate(self.tensors) if tensor.shape == self.tensors[source].shape
        ]
        inputs = (source, *(self.choice(same) for _ in range(self.one(1, 3))))
        return self.append(Add("add", inputs, self.scaling(len(inputs))))

    def concat(self, source: int) -> int:
        shape = self.tensors[source].shape
        fitting = [
            i
            for i, t in enumerate(self.tensors)
            if t.shape[1:] == shape[1:] and len(t.shape) == len(shape)
        ]
        inputs = (source, *(self.choice(fitting) for _ in range(self.one(1, 3))))
        return self.append(Concat("concat", inputs, self.scaling(len(inputs))))

    def mul(self, source: int) -> int:
        shape = self.tensors[source].shape
        gate = shape[:1] + (1,) * (len(shape) - 1)
        fitting = [i for i, tensor in enumerate(self.tensors) if tensor.shape in (shape, gate)]
        return self.append(Mul("mul", (source, self.choice(fitting)), self.scaling(1)))

    def maxpool(self, source: int) -> int:
        return self.append(MaxPool("maxpool", (source,), *self.windows(source)))

    def avgpool(self, source: int) -> int:
        return self.append(AvgPool("avgpool", (source,), *self.windows(source), self.scaling(1)))

    def edge_maxpool(self, source: int) -> int:
        windows, extra = self.edge_windows(source)
        return self.append(EdgeMaxPool("edgemaxpool", (source,), *windows, extra))

    def edge_avgpool(self, source: int) -> int:
        windows, extra = self.edge_windows(source)
        one = EdgeAvgPool("edgeavgpool", (source,), *windows, self.scaling(1), extra)
        count = len(np.unique(one.pixels(self.tensors[source].shape)))
        return self.append(dataclasses.replace(one, scaling=self.scaling(count)))

    def reshape(self, source: int) -> int:
        """A vector, a signal or an image of the same elements."""
        shape = self.tensors[source].shape
        options = [(prod(shape),), (shape[0], prod(shape[1:])), (1, prod(shape), 1)]
        return self.append(Reshape("reshape", (source,), self.choice(options)))

    def gather(self, source: int) -> int:
        indices = self.numbers(0, self.tensors[source].shape[0] - 1, self.one(1, 9))
        return self.append(Gather("gather", (source,), indices.astype(np.int32)))

    def flatten(self, source: int) -> int:
        return self.append(Flatten("flatten", (source,)))

    def upsample(self, source: int) -> int:
        return self.append(Upsample("upsample", (source,), self.one(1, 2)))

    def pad(self, source: int) -> int:
        return self.append(Pad("pad", (source,), self.pair(0, 2), self.pair(0, 2)))

    def spread(self, source: int) -> int:
        return self.append(Spread("spread", (source,), self.pair(1, 3), self.pair(0, 2)))

    def slice(self, source: int) -> int:
        """A part of an image."""
        starts = [self.one(0, size - 1) for size in self.tensors[source].shape[1:]]
        steps = self.pair(1, 3)
        counts = [
            self.one(1, (size - 1 - start) // step + 1)
            for size, start, step in zip(self.tensors[source].shape[1:], starts, steps, strict=True)
        ]
        return self.append(
            Slice("slice", (source,), (starts[0], starts[1]), steps, (counts[0], counts[1]))
        )

    def lut(self, source: int) -> int:
        bits = self.one(1, 8)
        table = self.numbers(0, 2**bits - 1, self.tensors[source].top + 1)
        return self.append(
            Lut("lut", (source,), (np.sort(table) if self.one(0, 1) else table).astype(np.uint8)),
            bits,
        )

    def prelu(self, source: int) -> int:
        scaling, largest = self.scaling(1), 2 ** self.one(0, 16) - 1
        nonzero = dataclasses.replace(scaling, multipliers=scaling.multipliers.clip(1))
        slopes = self.numbers(-largest, largest, self.tensors[source].shape[0])
        return self.append(PRelu("prelu", (source,), nonzero, slopes.astype(np.int32)))

    def append(self, operation: Operation, bits: int = 8) -> int:
        """The index of the result."""
        source = self.tensors[operation.inputs[0]]
        shape = operation.result_shape([self.tensors[index].shape for index in operation.inputs])
        if isinstance(operation, SameScale):
            scale, zero, bits = source.scale, source.zero, source.bits
        else:
            if isinstance(operation, Requantized):
                bits = self.one(max(operation.scaling.high.bit_length(), 1), 8)
            scale, zero = self.scale(), self.one(0, 2**bits - 1)
        self.operations.append(operation)
        self.tensors.append(TensorType(shape, scale, zero, bits))
        return len(self.operations)

    def weights(self, shape: Shape, bits: int, affine: bool = False) -> NDArray[np.int8]:
        """Any levels, just two of them, or mostly zeros."""
        top = max(2 ** (bits - 1) - 1, 1)
        values = self.numbers(-top - affine, top, prod(shape))
        values = self.choice(
            [
                values,
                np.where(values > 0, values.max(), values.min()),
                np.where(abs(values) == top, values, 0),
            ]
        )
        return (np.where(values < 0, -1, 1) if bits == 1 else values).astype(np.int8).reshape(shape)

    def zero_points(self, count: int, bits: int) -> NDArray[np.uint8]:
        """Different ones, or one for all channels."""
        return np.resize(self.numbers(0, 2**bits - 1, self.choice([1, count])), count).astype(
            np.uint8
        )

    def affine(self, weights: NDArray[np.int8] | None, bits: int) -> bool:
        """Whether weights get zero points; given ones get none."""
        return weights is None and bits > 1 and bool(self.one(0, 1))

    def biases(self, count: int) -> NDArray[np.int32]:
        largest = 2 ** self.one(0, 31) - 1
        return self.numbers(-largest - self.one(0, 1), largest, count).astype(np.int32)

    def scaling(self, count: int) -> Scaling:
        low, multipliers = self.one(0, 255), self.numbers(0, 2**16 - 1, count).astype(np.uint16)
        return Scaling(multipliers, self.one(MIN_SHIFT, MAX_SHIFT), low, self.one(low, 255))

    def windows(self, source: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        _, height, width = self.tensors[source].shape
        kernel = self.one(1, height), self.one(1, width)
        return kernel, self.pair(1, 3), (self.one(0, kernel[0] - 1), self.one(0, kernel[1] - 1))

    def edge_windows(self, source: int) -> tuple[tuple[Pair, Pair, Pair], Pair]:
        kernel, stride, padding = self.windows(source)
        rows, columns = (self.one(0, k - 1 - p) for k, p in zip(kernel, padding, strict=True))
        return (kernel, stride, padding), (rows, columns)

    def scale(self) -> float:
        return float(np.float32(self.one(1, 10**6) / 999_983))

    def pair(self, low: int, high: int) -> tuple[int, int]:
        first = self.one(low, high)
        return first, self.choice([first, self.one(low, high)])

    def one(self, low: int, high: int) -> int:
        return int(self.numbers(low, high, 1)[0])

    def choice(self, options: Sequence[Option]) -> Option:
        return options[self.one(0, len(options) - 1)]


APPEND: dict[type[Operation], Callable[[Builder, int], int]] = {
    Conv: Builder.conv,
    Linear: Builder.linear,
    Add: Builder.add,
    Mul: Builder.mul,
    Concat: Builder.concat,
    MaxPool: Builder.maxpool,
    AvgPool: Builder.avgpool,
    EdgeMaxPool: Builder.edge_maxpool,
    EdgeAvgPool: Builder.edge_avgpool,
    Reshape: Builder.reshape,
    Gather: Builder.gather,
    Flatten: Builder.flatten,
    Upsample: Builder.upsample,
    Pad: Builder.pad,
    Spread: Builder.spread,
    Slice: Builder.slice,
    Lut: Builder.lut,
    PRelu: Builder.prelu,
}


def numbers_from(seed: int) -> Numbers:
    """Numbers from `low` to `high`, the same on every machine and with every version of NumPy
    (after SplitMix64).
    """
    drawn = 0

    def numbers(low: int, high: int, count: int) -> NDArray[np.int64]:
        nonlocal drawn
        mixed = (
            np.arange(drawn, drawn + count, dtype=np.uint64) + np.uint64(seed << 32)
        ) * np.uint64(0x9E3779B97F4A7C15)
        drawn += count
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ mixed >> np.uint64(shift)) * np.uint64(factor)
        return low + ((mixed ^ mixed >> np.uint64(31)) % np.uint64(high - low + 1)).astype(np.int64)

    return numbers
