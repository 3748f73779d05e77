"""Sums, products and concatenations: those of the integer program, and those of float networks."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nas.onnx.exact import floored, looked_up, truncated
from nas.onnx.float_call import FloatCall
from nas.onnx.fused import fused_add, only_moves
from nas.onnx.graph import Graph, Writer
from nas.onnx.requantized import reals
from nas.program.operations import Add, Concat, Mul, Operation
from nas.program.tensors import Signature
from nas.quantize import UnsupportedError


def _add(graph: Graph, add: Add, inputs: Sequence[str], signature: Signature) -> str:
    factors = add.scaling.factors
    if (factors % 1 == 0).all():
        return fused_add(graph, add, inputs, signature)
    tables = [
        (np.arange(source.top + 1) - source.zero) * factor
        for source, factor in zip(signature.sources, factors, strict=True)
    ]
    tables[0] += 0.5 + signature.result.zero
    total, *others = (
        looked_up(graph, value, table, f"{add.name}.steps")
        for value, table in zip(inputs, tables, strict=True)
    )
    for other in others:
        total = graph.node("Add", [total, other], f"{add.name}.sum")
    return truncated(graph, add, total)


def _mul(graph: Graph, mul: Mul, inputs: Sequence[str], signature: Signature) -> str:
    factors = reals(graph, mul, inputs, signature, [1.0, 1.0])
    products = graph.node("Mul", factors, f"{mul.name}.product")
    return floored(graph, mul, products, signature, mul.scaling.factors)


def _concat(graph: Graph, concat: Concat, inputs: Sequence[str], signature: Signature) -> str:
    if not only_moves(concat, signature):
        inputs = [
            looked_up(graph, value, table, f"{concat.name}.part")
            for value, table in zip(inputs, _tables(concat, signature), strict=True)
        ]
    return graph.node("Concat", inputs, concat.name, {"axis": 1})


def _tables(concat: Concat, signature: Signature) -> Iterator[NDArray[np.uint8]]:
    """For each source the integer of the result for each of its own."""
    scaling, zero = concat.scaling, signature.result.zero
    for source, factor in zip(signature.sources, scaling.factors, strict=True):
        steps = (np.arange(source.top + 1) - source.zero) * factor
        rounded = np.floor(steps + 0.5) + zero
        yield rounded.clip(scaling.low, scaling.high).astype(np.uint8)


WRITERS: Mapping[type[Operation], Writer] = {Add: _add, Mul: _mul, Concat: _concat}


def float_add(graph: Graph, call: FloatCall) -> str:
    """Adds a sum of a float network, and returns the name of its result."""
    return graph.node("Add", call.inputs, call.name)


def float_mul(graph: Graph, call: FloatCall) -> str:
    """Adds a product of a float network, and returns the name of its result."""
    return graph.node("Mul", call.inputs, call.name)


def float_concat(graph: Graph, call: FloatCall) -> str:
    """Adds a concatenation of a float network, and returns the name of its result.

    Raises:
        UnsupportedError: if it does not join channels.
    """
    if call.shape[1] != sum(shape[1] for shape in call.sources):
        raise UnsupportedError(f"{call.name!r} must join channels, dim=1, but got {call.arguments}")
    return graph.node("Concat", call.inputs, call.name, {"axis": 1})
