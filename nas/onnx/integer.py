"""The integer program as ONNX."""

from collections.abc import Sequence

from onnx import ModelProto, TensorProto

from nas.onnx.graph import INPUT, Attributes, Graph, enlarged, windows
from nas.onnx.layers import factors, layer
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
    TensorType,
    Upsample,
)
from nas.program.program import Program

SMALLEST_MEAN = 2.0**-31


def to_onnx(program: Program) -> ModelProto:
    """The program as checked ONNX, from float32 "input" [N, …] to float32 "logits" [N, classes];
    equal programs, equal bytes.

    Tensors are unsigned and weights signed 8-bit integers, or unsigned where signed ones do not
    fit, with DequantizeLinear and QuantizeLinear around what computes with them: runtimes fuse the
    three into an integer kernel, which rounds biases to the unit of its sums. Weights are shifted
    up so that this unit is the program's own.

    Weights of 8 bits, and those of 7 with zero points, saturate on x86 without VNNI, unless ONNX
    Runtime is told session.x64quantprecision = 1.

    Raises:
        UnsupportedError: if a layer's weights have 8 bits and zero points that differ so much that
            no common one fits.
    """
    graph = Graph()
    first, last = program.tensors[0], program.tensors[-1]
    names = [graph.integers(INPUT, f"{INPUT}.integers", first.scale, first.zero, (0, first.top))]
    for operation, result in zip(program.operations, program.tensors[1:], strict=True):
        sources = [program.tensors[source] for source in operation.inputs]
        names.append(
            _added(
                graph, operation, [names[source] for source in operation.inputs], sources, result
            )
        )
    return graph.model(
        graph.real(names[-1], "output", last.scale, last.zero), "program", first.shape, last.size
    )


def _added(
    graph: Graph,
    operation: Operation,
    inputs: Sequence[str],
    sources: Sequence[TensorType],
    result: TensorType,
) -> str:
    """The name of the integers that an operation gives."""
    name = operation.name
    match operation:
        case Conv() | Linear():
            return layer(graph, operation, inputs[0], sources[0], result)
        case Concat() if _only_moves(operation, sources, result):
            return graph.node("Concat", inputs, name, {"axis": 1})
        case Add() | Concat() | Mul() | AvgPool():
            kind, attributes = _on_reals(operation, sources)
            reals = [
                graph.real(value, f"{name}.source", scale, source.zero)
                for value, scale, source in zip(
                    inputs, _scales(operation, sources, result), sources, strict=True
                )
            ]
            real = graph.node(kind, reals, f"{name}.real", attributes)
            return graph.integers(
                real,
                name,
                result.scale,
                result.zero,
                (operation.scaling.low, operation.scaling.high),
            )
        case MaxPool():
            return graph.node(
                "MaxPool",
                inputs,
                name,
                windows(operation.kernel, operation.stride, operation.padding),
            )
        case Gather():
            return graph.node(
                "Gather",
                [*inputs, graph.constant(operation.indices, f"{name}.indices")],
                name,
                {"axis": 1},
            )
        case Flatten():
            return graph.node("Flatten", inputs, name)
        case Upsample():
            return enlarged(graph, inputs[0], name, operation.factor)
        case Lut():
            index = graph.node("Cast", inputs, f"{name}.index", {"to": TensorProto.INT32})
            return graph.node(
                "Gather", [graph.constant(operation.table, f"{name}.table"), index], name
            )
    raise AssertionError(operation)


def _only_moves(operation: Concat, sources: Sequence[TensorType], result: TensorType) -> bool:
    """Whether every integer stays what it is."""
    same = all(
        source.zero == result.zero and source.top <= operation.scaling.high for source in sources
    )
    return same and operation.scaling.low == 0 and bool((factors(operation.scaling) == 1).all())


def _on_reals(
    operation: Add | Concat | Mul | AvgPool, sources: Sequence[TensorType]
) -> tuple[str, Attributes]:
    """The operator that does with reals what the operation does with integers."""
    match operation:
        case Add():
            return "Add" if len(sources) == 2 else "Sum", {}
        case Concat():
            return "Concat", {"axis": 1}
        case Mul():
            return "Mul", {}
        case AvgPool() if operation.kernel == sources[0].shape[1:] and operation.padding == (0, 0):
            return "GlobalAveragePool", {}
        case AvgPool():
            return "AveragePool", {
                **windows(operation.kernel, operation.stride, operation.padding),
                "count_include_pad": 1,
            }


def _scales(
    operation: Add | Concat | Mul | AvgPool, sources: Sequence[TensorType], result: TensorType
) -> list[float]:
    """For each input the scale that stands for its multiplier, which the input's own scale only
    comes near to.
    """
    scales = [float(factor) * result.scale for factor in factors(operation.scaling)]
    match operation:
        case Mul():
            return [sources[0].scale, scales[0] / sources[0].scale]
        case AvgPool():
            # ONNX Runtime refuses smaller multipliers; such a one gives the zero point for any
            # window.
            least = SMALLEST_MEAN * result.scale
            return [max(scales[0], least) * operation.kernel[0] * operation.kernel[1]]
    return scales
