"""Running an integer program on batches, exactly."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nas.data import Split
from nas.program.biases import bias_units
from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Gather,
    Linear,
    Lut,
    MaxPool,
    Mul,
    Operation,
    Scaling,
    TensorType,
    Upsample,
)
from nas.program.program import Program

# A float holds every whole number up to here, so sums that stay below are exact in any order, by
# any kernel.
EXACT_FLOAT32 = 2**24
# Sums are scaled as 64-bit floats, twice the bytes of a network in floats: larger batches leave the
# caches.
BATCH = 64


class Interpreter:
    """A program made ready to run; results do not depend on the batch, the order of sums or the
    number of threads.

    Tensors are held as q - zero in floats, which represent such numbers, and the sums of products
    of such numbers, exactly: 32-bit ones where the sums stay below 2^24, else 64-bit ones.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._weights = [self._prepared(operation) for operation in program.operations]
        self._last = {
            source: index
            for index, operation in enumerate(program.operations)
            for source in operation.inputs
        }

    def _prepared(self, operation: Operation) -> tuple[Tensor, Tensor] | None:
        """Weights in a float type that holds the sums, and biases in steps of the result, with half
        a step to round.
        """
        if not isinstance(operation, (Conv, Linear)):
            return None
        source = self._program.tensors[operation.inputs[0]]
        furthest = max(source.zero, source.top - source.zero)
        levels = operation.levels
        largest = (
            int(np.abs(levels.reshape(len(levels), -1)).sum(1, dtype=np.int64).max()) * furthest
        )
        dtype = torch.float32 if largest < EXACT_FLOAT32 else torch.float64
        biases = torch.from_numpy(
            operation.biases * bias_units(operation.scaling, operation.level_bits) + 0.5
        )
        return torch.from_numpy(levels).to(dtype), biases

    def integers(self, inputs: Tensor) -> Tensor:
        """The output's integers, int64 [N, classes], for inputs float32 [N, …]."""
        tensors = self._program.tensors
        first = tensors[0]
        held = {0: inputs.div(first.scale).round_().clamp_(-first.zero, first.top - first.zero)}
        for index, (operation, weights) in enumerate(
            zip(self._program.operations, self._weights, strict=True)
        ):
            sources = [tensors[source] for source in operation.inputs]
            values = [held[source] for source in operation.inputs]
            held[index + 1] = _run(operation, weights, values, sources, tensors[index + 1])
            held = {
                tensor: value
                for tensor, value in held.items()
                if self._last.get(tensor, len(tensors)) > index
            }
        return held[len(tensors) - 1].to(torch.int64) + tensors[-1].zero

    def __call__(self, inputs: Tensor) -> Tensor:
        """The logits that the output's integers stand for, float32 [N, classes]."""
        output = self._program.tensors[-1]
        return (self.integers(inputs) - output.zero).to(torch.float32) * output.scale


def _run(  # noqa: C901 - one case an operation
    operation: Operation,
    weights: tuple[Tensor, Tensor] | None,
    values: Sequence[Tensor],
    sources: Sequence[TensorType],
    result: TensorType,
) -> Tensor:
    """The result's integers less its zero point."""
    first = values[0]
    match operation:
        case Conv():
            assert weights is not None
            stride, padding, dilation = operation.stride, operation.padding, operation.dilation
            sums = functional.conv2d(
                first.to(weights[0].dtype),
                weights[0],
                None,
                stride,
                padding,
                dilation,
                operation.groups,
            )
            return _scaled(sums, operation.scaling, result, (1, -1, 1, 1), weights[1])
        case Linear():
            assert weights is not None
            sums = functional.linear(first.to(weights[0].dtype), weights[0])
            return _scaled(sums, operation.scaling, result, (1, -1), weights[1])
        case Add():
            factors = operation.scaling.multipliers.astype(np.float64)
            total = sum(
                (
                    value * float(factor)
                    for value, factor in zip(values[1:], factors[1:], strict=True)
                ),
                first.double() * factors[0],
            )
            assert isinstance(total, Tensor)
            return _rounded(total.mul_(0.5**operation.scaling.shift), operation.scaling, result)
        case Mul():
            return _scaled(first.double() * values[1], operation.scaling, result, (1,))
        case Concat():
            parts = [
                value.double() * float(factor)
                for value, factor in zip(values, operation.scaling.multipliers, strict=True)
            ]
            return _rounded(
                torch.cat(parts, 1).mul_(0.5**operation.scaling.shift), operation.scaling, result
            )
        case MaxPool():
            return functional.max_pool2d(
                _padded(first, operation.padding, -torch.inf), operation.kernel, operation.stride
            )
        case AvgPool():
            padded = _padded(first.double(), operation.padding, 0.0)
            sums = functional.avg_pool2d(
                padded, operation.kernel, operation.stride, divisor_override=1
            )
            return _scaled(sums, operation.scaling, result, (1,))
        case Gather():
            return first[:, torch.from_numpy(operation.indices).long()]
        case Flatten():
            return first.flatten(1)
        case Upsample():
            return first.repeat_interleave(operation.factor, 2).repeat_interleave(
                operation.factor, 3
            )
        case Lut():
            table = torch.from_numpy(operation.table.astype(np.float32)) - result.zero
            return table[(first + sources[0].zero).long()]
    raise AssertionError(operation)


def _padded(x: Tensor, padding: tuple[int, int], value: float) -> Tensor:
    """Images with a border; torch's own pooling takes one of half a window at most."""
    return functional.pad(x, (padding[1], padding[1], padding[0], padding[0]), value=value)


def _scaled(
    sums: Tensor,
    scaling: Scaling,
    result: TensorType,
    shape: tuple[int, ...],
    biases: Tensor | None = None,
) -> Tensor:
    factors = torch.from_numpy(scaling.multipliers.astype(np.float64) * 0.5**scaling.shift).view(
        shape
    )
    # 64-bit floats hold all of it: 31 bits of the sum, 16 of the multiplier, and the 5 by which a
    # bias may be finer.
    return _floored(
        (sums * factors).add_(0.5 if biases is None else biases.view(shape)), scaling, result
    )


def _rounded(scaled: Tensor, scaling: Scaling, result: TensorType) -> Tensor:
    return _floored(scaled.add_(0.5), scaling, result)


def _floored(scaled: Tensor, scaling: Scaling, result: TensorType) -> Tensor:
    # What 32-bit floats cannot hold lies far beyond the limits, on the same side of them.
    return (
        scaled.floor_()
        .to(torch.float32)
        .clamp_(scaling.low - result.zero, scaling.high - result.zero)
    )


def logits(program: Program, inputs: Tensor, batch: int = BATCH) -> NDArray[np.float32]:
    """The logits of all inputs, float32 [N, classes]."""
    run = Interpreter(program)
    with torch.inference_mode():
        return torch.cat([run(part) for part in torch.split(inputs, batch)]).numpy()


def score(program: Program, split: Split) -> float:
    """The share of samples, 0 to 1, whose highest logit is that of their label."""
    return int((logits(program, split.inputs).argmax(1) == split.labels.numpy()).sum()) / len(
        split.labels
    )
