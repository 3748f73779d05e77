"""Sums as integers of the result, rounded as the program rounds them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto

from nas.onnx.graph import Graph
from nas.program.operations import Requantized
from nas.program.tensors import Signature


def floored(
    graph: Graph,
    operation: Requantized,
    sums: str,
    signature: Signature,
    factors: NDArray[np.float64],
    offsets: ArrayLike = 0.0,
) -> str:
    """Integers [N, C, …] of sums, float32 or int32, times `factors`, one for each channel or for
    all, plus `offsets`, both in steps of the result.

    Products have some 50 bits, for which runtimes have no kernel but those of 64-bit floats. Batch
    normalization multiplies and adds in one pass over them.
    """
    name, result = operation.name, signature.result
    channels = result.shape[0]
    halves = np.asarray(offsets) + (0.5 + result.zero)
    constants = [
        graph.constant(np.broadcast_to(values, channels).astype(np.float64), f"{name}.{part}")
        for part, values in (("factor", factors), ("offset", halves))
    ]
    mean, variance = (graph.number(value, np.float64, channels) for value in (0.0, 1.0))
    wide = graph.node("Cast", [sums], f"{name}.wide", {"to": TensorProto.DOUBLE})
    steps = graph.node(
        "BatchNormalization", [wide, *constants, mean, variance], f"{name}.steps", {"epsilon": 0.0}
    )
    return truncated(graph, operation, steps)


def truncated(graph: Graph, operation: Requantized, steps: str) -> str:
    """The integers of float64 steps to which the zero point and a half were added."""
    limits = operation.scaling.low, operation.scaling.high
    numbers = [graph.number(limit, np.float64) for limit in limits]
    # Inside the limits nothing is negative, so that a cast rounds down.
    clamped = graph.node("Clip", [steps, *numbers], f"{operation.name}.clamped")
    return graph.node("Cast", [clamped], operation.name, {"to": TensorProto.UINT8})


def looked_up(
    graph: Graph,
    source: str,
    table: NDArray[np.generic],
    name: str,
    starts: NDArray[np.int64] | None = None,
) -> str:
    """The entries of a table at unsigned 8-bit integers [N, C, …]; those of each
    channel begin at its own of `starts`, which broadcast to [C, …], or all at 0.
    """
    index = graph.node("Cast", [source], f"{name}.index", {"to": TensorProto.INT32})
    if starts is not None:
        first = graph.constant(starts.astype(np.int32), f"{name}.start")
        index = graph.node("Add", [index, first], f"{name}.entry")
    return graph.node("Gather", [graph.constant(table, f"{name}.table"), index], name)
