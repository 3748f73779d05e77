"""Programs to pack, and the checksum that ends a packed file."""

import struct
import zlib
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.packed.records import RECORDS
from nas.program.operations import (
    Add,
    AvgPool,
    Conv,
    Layer,
    Linear,
)
from nas.program.program import Program
from nas.program.tensors import Shape, TensorType
from nas.program.weights import IntegerWeights

Build = Callable[..., Any]


BYTE = TensorType((1,), 1.0, 0)


OPERATIONS = [record.kind for record in RECORDS.values()]


def seal(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


def quantized(rng: np.random.Generator, shape: Shape, bits: int) -> NDArray[np.int8]:
    """Bell-shaped, the largest of each channel at the largest level."""
    values = rng.normal(size=(shape[0], prod(shape[1:])))
    top = 2 ** (bits - 1) - 1
    levels = np.rint(values / np.abs(values).max(1, keepdims=True) * (top + 0.499))
    weights: NDArray[np.int8] = levels.astype(np.int8).reshape(shape)
    return weights


def residual(build: Build, bits: int) -> Program:
    """25,216 weights in 666 channels: a stem, four separable convolutions, two of them with a
    shortcut, and a classifier.
    """
    rng, builder = np.random.default_rng(0), build((3, 32, 32))
    builder.biases = lambda count: np.rint(rng.normal(scale=10_000, size=count)).astype(np.int32)

    def conv(source: int, out: int, kernel: int, groups: int = 1) -> int:
        channels = builder.tensors[source].shape[0]
        weights, padding = (
            quantized(rng, (out, channels // groups, kernel, kernel), bits),
            kernel // 2,
        )
        biases, scaling = builder.biases(out), builder.scaling(out)
        operation = Conv(
            "",
            (source,),
            scaling,
            IntegerWeights(weights, bits),
            biases,
            (1, 1),
            (padding, padding),
            (1, 1),
            groups,
        )
        return int(builder.append(operation))

    last = conv(conv(conv(0, 24, 3), 24, 3, 24), 72, 1)
    for _ in range(2):
        branch = conv(conv(last, 72, 5, 72), 72, 1)
        last = builder.append(Add("", (last, branch), builder.scaling(2)))
    last = conv(conv(conv(last, 72, 3, 72), 88, 1), 88, 3, 88)
    last = builder.append(AvgPool("", (last,), (32, 32), (1, 1), (0, 0), builder.scaling(1)))
    builder.linear(builder.flatten(last), quantized(rng, (10, 88), bits), bits)
    program: Program = builder.program()
    return program


def layers(program: Program) -> list[Layer]:
    return [operation for operation in program.operations if isinstance(operation, Layer)]


def small(build: Build) -> Program:
    """Each kind of operation, and weights with zero points, in fewer than 500 bytes."""
    builder = build((2, 3, 3))
    for kind in (*OPERATIONS, Linear):
        builder.grow(kind)
    builder.linear(len(builder.operations), bits=4, affine=True)
    program: Program = builder.program()
    return program


def range_coded(build: Build) -> Program:
    """Three layers of 144 weights that range coders write, because neighbours are alike: plain, with
    lower bits and with a codebook.
    """
    builder, places = build((12,)), np.arange(144)
    slow, fast = places // 10 - 7, places * 7 % 4
    for values, bits in ((slow, 4), (4 * slow + fast, 6), (np.array([-90, 5, 77])[slow % 3], 8)):
        weights = values.astype(np.int8).reshape(12, 12)
        builder.linear(len(builder.operations), weights, bits, affine=False)
    program: Program = builder.program()
    return program
