"""Sums, products and concatenations: those of the integer program, and those of float networks."""

from collections.abc import Mapping, Sequence

from nas.onnx.float_call import FloatCall
from nas.onnx.graph import Graph, Writer
from nas.onnx.requantized import integers, reals, scales
from nas.program.operations import Add, Concat, Mul, Operation
from nas.program.tensors import Signature
from nas.quantize import UnsupportedError


def _add(graph: Graph, add: Add, inputs: Sequence[str], signature: Signature) -> str:
    summands = reals(graph, add, inputs, signature, scales(add, signature))
    total = graph.node("Add" if len(summands) == 2 else "Sum", summands, f"{add.name}.real")
    return integers(graph, add, total, signature)


def _mul(graph: Graph, mul: Mul, inputs: Sequence[str], signature: Signature) -> str:
    (scale,), first = scales(mul, signature), signature.source.scale
    factors = reals(graph, mul, inputs, signature, [first, scale / first])
    return integers(graph, mul, graph.node("Mul", factors, f"{mul.name}.real"), signature)


def _concat(graph: Graph, concat: Concat, inputs: Sequence[str], signature: Signature) -> str:
    if _only_moves(concat, signature):
        return graph.node("Concat", inputs, concat.name, {"axis": 1})
    parts = reals(graph, concat, inputs, signature, scales(concat, signature))
    joined = graph.node("Concat", parts, f"{concat.name}.real", {"axis": 1})
    return integers(graph, concat, joined, signature)


def _only_moves(concat: Concat, signature: Signature) -> bool:
    """Whether every integer stays the same."""
    same = all(
        source.zero == signature.result.zero and source.top <= concat.scaling.high
        for source in signature.sources
    )
    return same and concat.scaling.low == 0 and bool((concat.scaling.factors == 1).all())


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
