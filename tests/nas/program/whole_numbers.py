"""The interpreter's arithmetic once more, in NumPy's whole numbers."""

from collections.abc import Sequence
from typing import Any

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
    Reshape,
    Slice,
    Spread,
    Upsample,
)
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import TensorType

Whole = NDArray[np.int64]


def requantized(
    sums: Whole, factor: int, scaling: Scaling, result: TensorType, finer: int = 0
) -> Whole:
    """zero + floor((sum · m + 2^(s-1)) / 2^s) for s = shift + finer, clamped, in integers of any
    size.
    """
    shift = scaling.shift + finer
    total = sums.astype(object) * factor + 2 ** (shift - 1)
    whole: Whole = np.asarray(
        np.clip(total // 2**shift + result.zero, scaling.low, scaling.high), dtype=np.int64
    )
    return whole


def windows(
    x: Whole,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    fill: int,
    extra: Sequence[int] = (0, 0),
) -> NDArray[Any]:
    """[C, H', W', kh, kw] of an image [C, H, W]."""
    rows, columns = ((p, p + more) for p, more in zip(padding, extra, strict=True))
    padded = np.pad(x, ((0, 0), rows, columns), constant_values=fill)
    found = np.lib.stride_tricks.sliding_window_view(padded, tuple(kernel), (1, 2))
    return found[:, :: stride[0], :: stride[1]]


def multiplied(op: Conv | Linear) -> Whole:
    """The level of each weight."""
    weights: Whole = op.weights.values.astype(np.int64)
    if op.weights.zero_points is None:
        return weights
    zeros: Whole = op.weights.zero_points.astype(np.int64).reshape(-1, *[1] * (weights.ndim - 1))
    levels: Whole = (weights + zeros) % 2**op.weights.bits - zeros
    return levels


def convolved(op: Conv, x: Whole) -> Whole:
    span = [d * (k - 1) + 1 for k, d in zip(op.weights.shape[2:], op.dilation, strict=True)]
    seen = windows(x, span, op.stride, op.padding, 0)[..., :: op.dilation[0], :: op.dilation[1]]
    size, each = op.weights.shape[0] // op.groups, op.weights.shape[1]
    parts = [
        np.einsum(
            "chwij,ocij->ohw",
            seen[g * each : (g + 1) * each],
            multiplied(op)[g * size : (g + 1) * size],
        )
        for g in range(op.groups)
    ]
    return np.concatenate(parts)


def reference(program: Program, first: Whole) -> Whole:
    """The output's integers for one sample's integers, in integer arithmetic only."""
    held = [first]
    for op, result in zip(program.operations, program.tensors[1:], strict=True):
        values = [held[source] - program.tensors[source].zero for source in op.inputs]
        held.append(_result(op, held[op.inputs[0]], values, result))
    return held[-1]


def _result(op: Operation, raw: Whole, values: Sequence[Whole], result: TensorType) -> Whole:  # noqa: C901 - one case an operation
    x = values[0]
    match op:
        case Conv() | Linear():
            sums = convolved(op, x) if isinstance(op, Conv) else multiplied(op) @ x
            factors = zip(sums, op.scaling.multipliers, op.biases, strict=True)
            bits, affine = op.weights.bits, op.weights.zero_points is not None
            k = max(0, 6 - bits if affine else 7 - max(bits, 2))
            return np.stack(
                [
                    requantized(s * 2**k + np.int64(b), int(m), op.scaling, result, k)
                    for s, m, b in factors
                ]
            )
        case Add():
            total = sum(
                value * int(m) for value, m in zip(values, op.scaling.multipliers, strict=True)
            )
            return requantized(np.asarray(total), 1, op.scaling, result)
        case Concat():
            parts = zip(values, op.scaling.multipliers, strict=True)
            return np.concatenate(
                [requantized(value, int(m), op.scaling, result) for value, m in parts]
            )
        case Mul():
            return requantized(x * values[1], int(op.scaling.multipliers[0]), op.scaling, result)
        case EdgeAvgPool():
            spans = op.kernel, op.stride, op.padding
            sums = windows(x, *spans, 0, op.extra).sum((3, 4))
            pixels = windows(np.ones_like(x), *spans, 0, op.extra).sum((3, 4))
            gains = op.scaling.multipliers.astype(np.int64)[
                np.unique(pixels, return_inverse=True)[1].reshape(pixels.shape)
            ]
            return requantized(sums * gains, 1, op.scaling, result)
        case AvgPool():
            sums = windows(x, op.kernel, op.stride, op.padding, 0).sum((3, 4))
            return requantized(sums, int(op.scaling.multipliers[0]), op.scaling, result)
        case PRelu():
            slopes = op.slopes.astype(np.int64).reshape(-1, *[1] * (x.ndim - 1))
            gains = np.where(x >= 0, np.int64(op.scaling.multipliers[0]), slopes)
            return requantized(x * gains, 1, op.scaling, result)
        case EdgeMaxPool():
            seen = windows(raw, op.kernel, op.stride, op.padding, -1, op.extra)
            return np.asarray(seen.max((3, 4)))
        case MaxPool():
            largest: Whole = windows(raw, op.kernel, op.stride, op.padding, -1).max((3, 4))
            return largest
        case Gather():
            return raw[op.indices]
        case Reshape():
            return raw.reshape(op.shape)
        case Flatten():
            return raw.reshape(-1)
        case Upsample():
            return raw.repeat(op.factor, 1).repeat(op.factor, 2)
        case Spread():
            spread = np.full(result.shape, result.zero, np.int64)
            for row, column in np.ndindex(*raw.shape[1:]):
                spread[:, row * op.factors[0], column * op.factors[1]] = raw[:, row, column]
            return spread
        case Slice():
            rows, columns = (
                first + step * np.arange(count)
                for first, step, count in zip(op.starts, op.steps, op.counts, strict=True)
            )
            return raw[:, rows][:, :, columns]
        case Pad():
            zero = result.zero
            whole: Whole = np.pad(raw, ((0, 0), op.rows, op.columns), constant_values=zero)
            return whole
        case Lut():
            return op.table.astype(np.int64)[raw]
    raise AssertionError(op)
