"""The integer program as ONNX."""

from collections.abc import Mapping

from onnx import ModelProto

from nas.onnx import joins, layers, moves, pointwise, pooling
from nas.onnx.graph import INPUT, Graph, Writer
from nas.program.operations import Operation
from nas.program.program import Program

_WRITERS: Mapping[type[Operation], Writer] = {
    **layers.WRITERS,
    **joins.WRITERS,
    **pooling.WRITERS,
    **moves.WRITERS,
    **pointwise.WRITERS,
}


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
