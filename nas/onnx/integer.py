"""The integer program as ONNX."""

from collections.abc import Mapping, Sequence

from onnx import ModelProto

from nas.onnx import layers, pointwise
from nas.onnx.graph import INPUT, Attributes, Graph, Writer, enlarged, windows
from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Gather,
    Linear,
    MaxPool,
    Mul,
    Operation,
    Requantized,
    Upsample,
)
from nas.program.program import Program
from nas.program.tensors import Signature

SMALLEST_MEAN = 2.0**-31


def to_onnx(program: Program) -> ModelProto:
    """The program as checked ONNX, from float32 "input" [N, …] to float32 "logits" [N, classes];
    equal programs give equal bytes.

    Tensors are unsigned and weights signed 8-bit integers, or unsigned where signed ones do not
    fit. DequantizeLinear and QuantizeLinear surround what computes with them: runtimes fuse the
    three into an integer kernel, which rounds biases to the unit of its sums. Weights are shifted
    up so that this unit is the program's own.

    Weights of 8 bits, and those of 7 with zero points, saturate on x86 without VNNI, unless ONNX
    Runtime runs with session.x64quantprecision = 1.

    Raises:
        UnsupportedError: if a layer's weights have 8 bits and zero points so different that no
            common one fits.
    """
    graph = Graph()
    first, last = program.tensors[0], program.tensors[-1]
    names = [graph.integers(INPUT, f"{INPUT}.integers", first.scale, first.zero, (0, first.top))]
    for operation, signature in program.steps:
        inputs = [names[source] for source in operation.inputs]
        names.append(_WRITERS[type(operation)](graph, operation, inputs, signature))
    return graph.model(
        graph.real(names[-1], "output", last.scale, last.zero), "program", first.shape, last.size
    )


def _add(graph: Graph, add: Add, inputs: Sequence[str], signature: Signature) -> str:
    reals = _reals(graph, add, inputs, signature, _scales(add, signature))
    total = graph.node("Add" if len(reals) == 2 else "Sum", reals, f"{add.name}.real")
    return _integers(graph, add, total, signature)


def _concat(graph: Graph, concat: Concat, inputs: Sequence[str], signature: Signature) -> str:
    if _only_moves(concat, signature):
        return graph.node("Concat", inputs, concat.name, {"axis": 1})
    reals = _reals(graph, concat, inputs, signature, _scales(concat, signature))
    joined = graph.node("Concat", reals, f"{concat.name}.real", {"axis": 1})
    return _integers(graph, concat, joined, signature)


def _only_moves(concat: Concat, signature: Signature) -> bool:
    """Whether every integer stays the same."""
    same = all(
        source.zero == signature.result.zero and source.top <= concat.scaling.high
        for source in signature.sources
    )
    return same and concat.scaling.low == 0 and bool((concat.scaling.factors == 1).all())


def _mul(graph: Graph, mul: Mul, inputs: Sequence[str], signature: Signature) -> str:
    (scale,), first = _scales(mul, signature), signature.source.scale
    reals = _reals(graph, mul, inputs, signature, [first, scale / first])
    return _integers(graph, mul, graph.node("Mul", reals, f"{mul.name}.real"), signature)


def _avg_pool(graph: Graph, pool: AvgPool, inputs: Sequence[str], signature: Signature) -> str:
    # ONNX Runtime refuses smaller multipliers; such a one gives the zero point for any window.
    scale = max(*_scales(pool, signature), SMALLEST_MEAN * signature.result.scale)
    pixels = pool.kernel[0] * pool.kernel[1]
    reals = _reals(graph, pool, inputs, signature, [scale * pixels])
    if pool.kernel == signature.source.shape[1:] and pool.padding == (0, 0):
        mean = graph.node("GlobalAveragePool", reals, f"{pool.name}.real")
    else:
        spans = windows(pool.kernel, pool.stride, pool.padding)
        attributes: Attributes = {**spans, "count_include_pad": 1}
        mean = graph.node("AveragePool", reals, f"{pool.name}.real", attributes)
    return _integers(graph, pool, mean, signature)


def _scales(operation: Requantized, signature: Signature) -> list[float]:
    """For each multiplier the scale of an input that gives it exactly; the input's own scale only
    comes close.
    """
    return [factor * signature.result.scale for factor in operation.scaling.factors.tolist()]


def _reals(
    graph: Graph,
    operation: Operation,
    inputs: Sequence[str],
    signature: Signature,
    scales: Sequence[float],
) -> list[str]:
    """The inputs as real numbers, each with a scale of its own."""
    return [
        graph.real(value, f"{operation.name}.source", scale, source.zero)
        for value, scale, source in zip(inputs, scales, signature.sources, strict=True)
    ]


def _integers(graph: Graph, operation: Requantized, real: str, signature: Signature) -> str:
    limits = operation.scaling.low, operation.scaling.high
    result = signature.result
    return graph.integers(real, operation.name, result.scale, result.zero, limits)


def _max_pool(graph: Graph, pool: MaxPool, inputs: Sequence[str], _: Signature) -> str:
    spans = windows(pool.kernel, pool.stride, pool.padding)
    return graph.node("MaxPool", inputs, pool.name, spans)


def _gather(graph: Graph, gather: Gather, inputs: Sequence[str], _: Signature) -> str:
    indices = graph.constant(gather.indices, f"{gather.name}.indices")
    return graph.node("Gather", [*inputs, indices], gather.name, {"axis": 1})


def _flatten(graph: Graph, flatten: Flatten, inputs: Sequence[str], _: Signature) -> str:
    return graph.node("Flatten", inputs, flatten.name)


def _upsample(graph: Graph, upsample: Upsample, inputs: Sequence[str], _: Signature) -> str:
    return enlarged(graph, inputs[0], upsample.name, upsample.factor)


_WRITERS: Mapping[type[Operation], Writer] = {
    Conv: layers.layer,
    Linear: layers.layer,
    Add: _add,
    Mul: _mul,
    Concat: _concat,
    MaxPool: _max_pool,
    AvgPool: _avg_pool,
    Gather: _gather,
    Flatten: _flatten,
    Upsample: _upsample,
    **pointwise.WRITERS,
}
