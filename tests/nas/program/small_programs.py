"""Operations with weights of 1, and programs of them."""

from typing import Any

import numpy as np

from nas.program.operations import (
    Add,
    Conv,
    Linear,
    Operation,
)
from nas.program.program import Program
from nas.program.scaling import Scaling
from nas.program.tensors import Shape, TensorType
from nas.program.weights import IntegerWeights


def scaling(count: int, high: int = 255) -> Scaling:
    return Scaling(np.ones(count, np.uint16), 8, 0, high)


def conv(shape: Shape, source: int = 0, **geometry: Any) -> Conv:
    given = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, **geometry}
    return Conv(
        "conv",
        (source,),
        scaling(shape[0]),
        IntegerWeights(np.ones(shape, np.int8), 4),
        np.zeros(shape[0], np.int32),
        **given,
    )


def linear(inputs: int, outputs: int, source: int = 0) -> Linear:
    weights = IntegerWeights(np.ones((outputs, inputs), np.int8), 4)
    return Linear("linear", (source,), scaling(outputs), weights, np.zeros(outputs, np.int32))


def program(shape: Shape, *operations: Operation) -> Program:
    """A program whose shapes follow from its operations."""
    shapes = [shape]
    for operation in operations:
        shapes.append(operation.result_shape([shapes[source] for source in operation.inputs]))
    return Program(tuple(TensorType(found, 1.0, 0) for found in shapes), operations)


def add(*inputs: int) -> Add:
    return Add("add", inputs, scaling(len(inputs)))
