"""Integers as the real numbers of a rescaled sum, and its result as integers."""

from collections.abc import Sequence

from nas.onnx.graph import Graph
from nas.program.operations import Requantized
from nas.program.tensors import Signature


def scales(operation: Requantized, signature: Signature) -> list[float]:
    """For each multiplier the scale of an input that gives it exactly; the input's own scale only
    comes close.
    """
    return [factor * signature.result.scale for factor in operation.scaling.factors.tolist()]


def reals(
    graph: Graph,
    operation: Requantized,
    inputs: Sequence[str],
    signature: Signature,
    scales: Sequence[float],
) -> list[str]:
    """The inputs as real numbers, each with a scale of its own."""
    return [
        graph.real(value, f"{operation.name}.source", scale, source.zero)
        for value, scale, source in zip(inputs, scales, signature.sources, strict=True)
    ]


def integers(graph: Graph, operation: Requantized, real: str, signature: Signature) -> str:
    """The integers of the result, inside the limits of the operation."""
    limits = operation.scaling.low, operation.scaling.high
    result = signature.result
    return graph.integers(real, operation.name, result.scale, result.zero, limits)
