"""Results between the limits of an operation."""

from dataclasses import dataclass

import numpy as np
import tflite

from nas.program.scaling import Scaling
from nas.program.tensors import Signature, TensorType
from nas.tflite.graph import Graph, Value

NONE: int = tflite.ActivationFunctionType.NONE
RELU: int = tflite.ActivationFunctionType.RELU


@dataclass(frozen=True)
class Clamp:
    """How integers q of a result are kept within limits: they are held as q + `offset`, such that
    the upper limit is that of 8 bits, and the lower one is too, or the zero point, at which the
    `activation` of kernels cuts off. What is left is done by operators of its own.
    """

    result: TensorType
    low: int
    high: int

    @classmethod
    def of(cls, scaling: Scaling, signature: Signature) -> "Clamp":
        """The clamp of an operation with this scaling."""
        return cls(signature.result, scaling.low, scaling.high)

    @property
    def offset(self) -> int:
        """What is added to the program's integers."""
        # The zero point must fit 8 bits, too.
        return 127 - max(self.high, self.result.zero)

    @property
    def activation(self) -> int:
        """The function that a kernel applies to its result."""
        return RELU if self.low == self.result.zero and self.low + self.offset > -128 else NONE

    def unit(self, graph: Graph) -> float:
        """The scale of the result in the graph."""
        return graph.unit(self.result)

    def unclamped(self, graph: Graph, name: str) -> Value:
        """Adds the tensor that a kernel with the activation writes."""
        result = self.result
        return graph.value(name, result.shape, result.zero, self.unit(graph), self.offset)

    def clamped(self, graph: Graph, name: str, value: Value, activation: int) -> Value:
        """Adds the operators that the result of a kernel with this activation still needs."""
        low, high = self.low + self.offset, self.high + self.offset
        if low > -128 and activation == NONE:
            value = limited(graph, name, value, self.result.zero, "MAXIMUM", low)
        if high < 127:
            value = limited(graph, name, value, self.result.zero, "MINIMUM", high)
        return value


def limited(graph: Graph, name: str, value: Value, zero: int, kind: str, limit: int) -> Value:
    """The MAXIMUM or the MINIMUM of a value and a number of the graph."""
    result = graph.like(value, f"{name}.{kind.lower()}", value.shape, zero)
    number = graph.constant(
        np.full((1,) * len(value.shape), limit, np.int8),
        f"{name}.limit",
        np.array([value.scale], np.float32),
        zero=zero + value.offset,
    )
    graph.add(kind, [value.index, number], result.index, "MaximumMinimumOptions")
    return result
