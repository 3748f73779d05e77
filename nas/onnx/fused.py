"""Operations whose sums are rescaled, in forms that runtimes fuse into kernels of 8-bit integers: they
round as 32-bit floats do, which is a step apart from the program in some of 10,000 to 100,000
integers.
"""

from collections.abc import Mapping, Sequence

from nas.onnx import fused_layers, fused_pooling
from nas.onnx.graph import Graph, Writer
from nas.onnx.per_channel import per_channel
from nas.onnx.requantized import integers, reals, scales
from nas.program.operations import Add, Concat, Mul, Operation, PRelu
from nas.program.tensors import Signature


def fused_add(graph: Graph, add: Add, inputs: Sequence[str], signature: Signature) -> str:
    """Adds a sum in floats; it is exact where every multiplier is a whole number."""
    summands = reals(graph, add, inputs, signature, scales(add, signature))
    total = graph.node("Add" if len(summands) == 2 else "Sum", summands, f"{add.name}.real")
    return integers(graph, add, total, signature)


def _mul(graph: Graph, mul: Mul, inputs: Sequence[str], signature: Signature) -> str:
    (scale,), first = scales(mul, signature), signature.source.scale
    factors = reals(graph, mul, inputs, signature, [first, scale / first])
    return integers(graph, mul, graph.node("Mul", factors, f"{mul.name}.real"), signature)


def _concat(graph: Graph, concat: Concat, inputs: Sequence[str], signature: Signature) -> str:
    if only_moves(concat, signature):
        return graph.node("Concat", inputs, concat.name, {"axis": 1})
    parts = reals(graph, concat, inputs, signature, scales(concat, signature))
    joined = graph.node("Concat", parts, f"{concat.name}.real", {"axis": 1})
    return integers(graph, concat, joined, signature)


def only_moves(concat: Concat, signature: Signature) -> bool:
    """Whether every integer stays the same."""
    same = all(
        source.zero == signature.result.zero and source.top <= concat.scaling.high
        for source in signature.sources
    )
    return same and concat.scaling.low == 0 and bool((concat.scaling.factors == 1).all())


def _prelu(graph: Graph, prelu: PRelu, inputs: Sequence[str], signature: Signature) -> str:
    (factor,), rank = prelu.scaling.factors.tolist(), len(signature.source.shape)
    (real,) = reals(graph, prelu, inputs, signature, scales(prelu, signature))
    slopes = graph.constant(per_channel(prelu.slope_factors / factor, rank), f"{prelu.name}.slope")
    rectified = graph.node("PRelu", [real, slopes], f"{prelu.name}.real")
    return integers(graph, prelu, rectified, signature)


WRITERS: Mapping[type[Operation], Writer] = {
    **fused_layers.WRITERS,
    **fused_pooling.WRITERS,
    Add: fused_add,
    Mul: _mul,
    Concat: _concat,
    PRelu: _prelu,
}
