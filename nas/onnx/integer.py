"""The integer program as ONNX."""

from collections.abc import Mapping, Sequence

from onnx import ModelProto

from nas.file_metadata import file_metadata
from nas.onnx import fused as approximate
from nas.onnx import joins, layers, moves, pointwise, pooling
from nas.onnx.graph import INPUT, Graph, Writer
from nas.preprocessing import Preprocessing
from nas.program.operations import Operation
from nas.program.program import Program

_EXACT: Mapping[type[Operation], Writer] = {
    **layers.WRITERS,
    **joins.WRITERS,
    **pooling.WRITERS,
    **moves.WRITERS,
    **pointwise.WRITERS,
}


_FUSED: Mapping[type[Operation], Writer] = {**_EXACT, **approximate.WRITERS}


def to_onnx(
    program: Program,
    *,
    fused: bool = False,
    class_names: Sequence[str] = (),
    preprocessing: Preprocessing | None = None,
) -> ModelProto:
    """The program as checked ONNX, from float32 "input" [N, …] to float32 "logits" [N, classes];
    equal programs give equal bytes.

    The metadata have `class_names` and `preprocessing`, which says how raw values become "input", as
    `file_metadata` writes them, if they are given.

    Tensors are unsigned 8-bit integers. ONNX Runtime gives the logits of the interpreter, bit for
    bit, on every x86 processor and with its default options. A layer becomes DequantizeLinear, the
    layer and QuantizeLinear, which runtimes fuse into a kernel of 8-bit integers, where that kernel
    rounds every sum of the layer as the program does. Elsewhere sums are 32-bit floats that hold
    them exactly, or 32-bit integers, and are scaled as 64-bit floats.

    With `fused` all operations are written for kernels of 8-bit integers, whose 32-bit floats round
    about one integer in 10,000 to 100,000 to its neighbour, and sums of layers of 8-bit weights, or
    7-bit ones with zero points, saturate on x86 without VNNI, unless ONNX Runtime runs with
    session.x64quantprecision = 1.

    Raises:
        UnsupportedError: with `fused`, if a layer's weights have 8 bits and zero points so different
            that no common one fits.
    """
    writers = _FUSED if fused else _EXACT
    graph = Graph()
    first, last = program.tensors[0], program.tensors[-1]
    names = [graph.integers(INPUT, f"{INPUT}.integers", first.scale, first.zero, (0, first.top))]
    for operation, signature in program.steps:
        inputs = [names[source] for source in operation.inputs]
        names.append(writers[type(operation)](graph, operation, inputs, signature))
    model = graph.model(
        graph.real(names[-1], "output", last.scale, last.zero), "program", first.shape, last.size
    )
    for key, value in file_metadata(class_names, preprocessing).items():
        model.metadata_props.add(key=key, value=value)
    return model
