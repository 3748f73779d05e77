"""A TensorFlow Lite graph that grows operator by operator."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.program.rounding import Rounding
from nas.program.tensors import Shape, Signature, TensorType
from nas.tflite.flatbuffer import Operator, Tensor, serialized

INPUT, OUTPUT = "input", "logits"

INT8, INT32, FLOAT32 = (np.dtype(kind) for kind in (np.int8, np.int32, np.float32))


@dataclass(frozen=True)
class Value:
    """A tensor of the graph, with its shape, batch of one first and channels last.

    It holds q + `offset` for integers q of the program, which stand for `scale` · (q - zero). Of a
    flattened image whose elements stay in the order of the graph, `order` has the place that each
    has in the program.
    """

    index: int
    shape: tuple[int, ...]
    scale: float
    offset: int
    order: NDArray[np.int64] | None = None


class Graph:
    """Tensors and operators in the order in which they were added.

    Scales between the input and the output are those of the input times powers of two, near the
    program's: so the 16 bits of a multiplier are told exactly by the scale of the weights, and
    products of scales, which are 64-bit floats in kernels, round nowhere.
    """

    def __init__(self, first: TensorType, rounding: Rounding) -> None:
        self.rounding = rounding
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._unit = first.scale
        self.input = self.value(INPUT, first.shape, first.zero, first.scale, -128)

    def unit(self, kind: TensorType) -> float:
        """The scale of a tensor of the graph, within a factor of √2 of the program's."""
        return self._unit * 2.0 ** round(math.log2(kind.scale / self._unit))

    def value(self, name: str, shape: Shape, zero: int, scale: float, offset: int) -> Value:
        """Adds a tensor of the program, which has this shape and zero point there."""
        held = held_shape(shape)
        index = self.tensor(name, held, INT8, np.array([scale], np.float32), zero + offset)
        return Value(index, held, scale, offset)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: np.dtype[Any],
        scales: NDArray[np.float32] | None = None,
        zero: int = 0,
    ) -> int:
        """Adds a tensor that an operator writes, and returns its index."""
        self._tensors.append(Tensor(name, tuple(shape), dtype, scales, zero))
        return len(self._tensors) - 1

    def constant(
        self,
        values: NDArray[Any],
        name: str,
        scales: NDArray[np.float32] | None = None,
        axis: int = 0,
        zero: int = 0,
    ) -> int:
        """Adds a constant, and returns its index."""
        found = Tensor(name, values.shape, values.dtype, scales, zero, axis, values)
        self._tensors.append(found)
        return len(self._tensors) - 1

    def add(
        self,
        kind: str,
        inputs: Sequence[int],
        output: int,
        options: str = "",
        fields: Mapping[str, int | bool] | None = None,
    ) -> int:
        """Adds an operator that writes the tensor `output`, and returns that."""
        self._operators.append(Operator(kind, tuple(inputs), output, options, fields or {}))
        return output

    def like(self, value: Value, name: str, shape: Sequence[int], zero: int) -> Value:
        """Adds a tensor of the integers, the scale and the zero point of another, of a shape with
        batch and channels last.
        """
        scales = np.array([value.scale], np.float32)
        index = self.tensor(name, shape, INT8, scales, zero + value.offset)
        return Value(index, tuple(shape), value.scale, value.offset)

    def reshaped(
        self, value: Value, name: str, shape: Sequence[int], zero: int, scale: float | None = None
    ) -> Value:
        """The same integers in the same order in another shape, perhaps told to have another scale."""
        one = Value(value.index, value.shape, scale or value.scale, value.offset)
        result = self.like(one, name, shape, zero)
        stored = self.constant(np.array([-1, *shape[1:]], np.int32), f"{name}.shape")
        self.add("RESHAPE", [value.index, stored], result.index, "ReshapeOptions")
        return result

    def model(self, value: Value, last: TensorType, metadata: Mapping[str, bytes]) -> bytes:
        """The bytes of the model whose output is `value`, with the scale of the program's output."""
        result = value
        if value.scale != last.scale or value == self.input:
            result = self.reshaped(value, OUTPUT, value.shape, last.zero, last.scale)
        tensors = list(self._tensors)
        found = tensors[result.index]
        tensors[result.index] = Tensor(OUTPUT, found.shape, found.dtype, found.scales, found.zero)
        description = f"int8, NHWC, sums rounded {'once' if self.rounding == 'single' else 'twice'}"
        return serialized(
            tensors, self._operators, [self.input.index], [result.index], description, metadata
        )


Writer = Callable[[Graph, Any, Sequence[Value], Signature], Value]
"""Adds an operation of the integer program that reads these values, and returns its result."""


def held_shape(shape: Shape) -> tuple[int, ...]:
    """A shape of the program, channels first, as the graph has it: batch first, channels last."""
    return 1, *shape[1:], shape[0]
