"""Random programs of one operation."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.lowering.scalings import scaling
from nas.packed.records import RECORDS
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
    Reshape,
    SameScale,
    Slice,
    Spread,
    Upsample,
)
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType
from nas.program.weights import IntegerWeights
from nas.program.zero_points import unwrapped

OPERATIONS = [record.kind for record in RECORDS.values()]


class Drawn:
    """Programs of one operation whose results spread over their range, or a part of it that they
    are clamped to.
    """

    def __init__(self, seed: int, affine: bool = False) -> None:
        self.affine = affine
        self.rng = np.random.default_rng(seed)
        # Every other program has 8 bits throughout.
        self.source_bits, self.bits, self.weight_bits = (
            self.one(1, 8) if seed % 2 else 8 for _ in range(3)
        )
        self.tensors = [
            TensorType(
                (6, 8, 8), self.scale(), self.one(0, 2**self.source_bits - 1), self.source_bits
            )
        ]
        self.operations: list[Operation] = []

    def program(self, kind: type[Operation]) -> Program:
        if kind is Linear:
            self.append(Flatten("flatten", (0,)))
        elif kind in (Add, Concat, Mul):
            small = kind is Mul and self.one(0, 1)
            second = (
                MaxPool("gate", (0,), (8, 8), (1, 1), (0, 0))
                if small
                else Gather("second", (0,), self.indices(6))
            )
            self.append(second)
        self.append(self.drawn(kind))
        self.append(Flatten("flatten", (len(self.operations),)))
        return Program(tuple(self.tensors), tuple(self.operations))

    def drawn(self, kind: type[Operation]) -> Operation:  # noqa: C901 - one case an operation
        name, last = kind.__name__.lower(), (len(self.operations),)
        if kind is Conv:
            groups = self.choice(1, 2, 6)
            weights = self.weights((12, 6 // groups, 3, 3))
            return Conv(name, last, *self.layer(weights), (1, 2), (1, 0), (2, 1), groups)
        if kind is Linear:
            return Linear(name, last, *self.layer(self.weights((12, 384))))
        if kind in (Add, Concat):
            sources = (0, 1, 0)[: self.choice(2, 3)]
            return (Add if kind is Add else Concat)(
                name, sources, self.scaling(self.rng.uniform(0.2, 0.6, len(sources)))
            )
        if kind is Mul:
            return Mul(name, (0, 1), self.scaling(np.array([2.1 / 2**self.source_bits])))
        if kind is AvgPool:
            kernel = self.choice((2, 2), (3, 3), (3, 2), (8, 8))
            padding = (0, 0) if kernel == (8, 8) else (1, 1)
            return AvgPool(
                name,
                last,
                kernel,
                (2, 2),
                padding,
                self.scaling(np.array([0.9 / kernel[0] / kernel[1]])),
            )
        if kind is MaxPool:
            return MaxPool(name, last, (3, 3), (2, 2), (1, 1))
        if kind is EdgeMaxPool:
            return EdgeMaxPool(name, last, (3, 3), (2, 2), (0, 1), (1, 0))
        if kind is EdgeAvgPool:
            windows = self.choice(((3, 3), (2, 2), (1, 1)), ((3, 2), (2, 3), (0, 0)))
            kernel, stride, padding = windows
            one = self.scaling(np.ones(1))
            pool = EdgeAvgPool(name, last, kernel, stride, padding, one, (1, 0))
            pixels = np.unique(pool.pixels((6, 8, 8)))
            return dataclasses.replace(pool, scaling=self.scaling(0.9 / pixels))
        if kind is Reshape:
            return Reshape(name, last, self.choice((6, 64), (24, 4, 4), (384,)))
        if kind is Gather:
            return Gather(name, last, self.indices(9))
        if kind is Upsample:
            return Upsample(name, last, 3)
        if kind is Pad:
            return Pad(name, last, self.choice((1, 0), (2, 2)), self.choice((0, 0), (3, 1)))
        if kind is Spread:
            return Spread(name, last, self.choice((2, 1), (3, 2)), self.choice((0, 0), (3, 1)))
        if kind is Slice:
            return Slice(
                name, last, self.choice((0, 0), (2, 1)), (3, 1), self.choice((2, 7), (1, 3))
            )
        if kind is PRelu:
            slopes = self.rng.uniform(-1.0, 1.0, 6) * 2.0 ** (self.bits - self.source_bits)
            gain = self.scaling(np.array([0.9]))
            return PRelu(name, last, gain, np.rint(slopes * 2.0**gain.shift / 2).astype(np.int32))
        if kind is Lut:
            return Lut(
                name, last, self.rng.integers(0, 2**self.bits, 2**self.source_bits).astype(np.uint8)
            )
        return Flatten(name, last)

    def layer(self, weights: NDArray[np.int8]) -> tuple[Scaling, IntegerWeights, NDArray[np.int32]]:
        zeros, levels = None, weights.astype(np.int16)
        if self.affine and self.weight_bits > 1:
            # ONNX Runtime takes one zero point for all channels of 8 bits.
            zeros = self.rng.integers(
                0, 2**self.weight_bits, 1 if self.weight_bits == 8 else len(weights)
            ).astype(np.uint8)
            zeros = np.resize(zeros, len(weights))
            levels = unwrapped(weights, self.weight_bits, zeros)
        deviation = np.sqrt(
            (levels.astype(np.float64) ** 2).sum(tuple(range(1, weights.ndim))).clip(1)
        )
        biases = self.rng.integers(-(2**self.bits) * 64, 2**self.bits * 64, len(weights)).astype(
            np.int32
        )
        # Half of the biases end in half a step, which a channel of zeros must round up.
        biases = np.where(biases % 2, biases, biases // 256 * 256 + 128).astype(np.int32)
        scaling = self.scaling(self.rng.uniform(0.3, 1.0, len(weights)) / deviation)
        return scaling, IntegerWeights(weights, self.weight_bits, zeros), biases

    def weights(self, shape: tuple[int, ...]) -> NDArray[np.int8]:
        top = max(1, 2 ** (self.weight_bits - 1) - 1)
        levels = self.rng.integers(-top, top + 1, shape)
        return (np.where(levels < 0, -1, 1) if self.weight_bits == 1 else levels).astype(np.int8)

    def scaling(self, factors: NDArray[np.float64]) -> Scaling:
        """Multipliers for factors between tensors of as many bits, and limits at or inside those of
        the result.
        """
        top = 2**self.bits - 1
        low, high = (top // 8, top - top // 4) if self.one(0, 1) else (0, top)
        return scaling(factors * 2.0 ** (self.bits - self.source_bits), (low, high))

    def append(self, operation: Operation) -> None:
        shape = operation.result_shape([self.tensors[source].shape for source in operation.inputs])
        source = self.tensors[operation.inputs[0]]
        if isinstance(operation, SameScale):
            self.tensors.append(dataclasses.replace(source, shape=shape))
        else:
            self.tensors.append(
                TensorType(shape, self.scale(), self.one(0, 2**self.bits - 1), self.bits)
            )
        self.operations.append(operation)

    def indices(self, count: int) -> NDArray[np.int32]:
        return self.rng.integers(0, 6, count).astype(np.int32)

    def scale(self) -> float:
        return float(np.float32(self.rng.uniform(0.001, 0.1)))

    def one(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def choice(self, *options: Any) -> Any:
        return options[self.one(0, len(options) - 1)]
