"""The integer program as a TensorFlow Lite model."""

from collections.abc import Mapping, Sequence

from nas.file_metadata import file_metadata
from nas.preprocessing import Preprocessing
from nas.program.operations import Flatten, Linear, Operation
from nas.program.program import Program
from nas.program.rounding import Rounding, check_rounding
from nas.tflite import joins, layers, moves, pixels, pointwise, pooling
from nas.tflite.clamped import limited
from nas.tflite.graph import Graph, Writer

_WRITERS: Mapping[type[Operation], Writer] = {
    **layers.WRITERS,
    **joins.WRITERS,
    **pooling.WRITERS,
    **moves.WRITERS,
    **pixels.WRITERS,
    **pointwise.WRITERS,
}


def to_tflite(
    program: Program,
    *,
    rounding: Rounding = "single",
    class_names: Sequence[str] = (),
    preprocessing: Preprocessing | None = None,
) -> bytes:
    """The program as a TensorFlow Lite model with signed 8-bit integers from "input" to "logits";
    equal programs give equal bytes.

    The model reads [1, H, W, C], or [1, L, C] or [1, F]: the program's input with its channels last,
    each integer less 128. It answers [1, classes]. Both have the scales of the program, and zero points
    shifted as their integers are.

    The metadata have `class_names` and `preprocessing`, which says how raw values become the numbers that
    integers stand for, as `file_metadata` writes them, if they are given.

    With `rounding` "single" the integers are the interpreter's on LiteRT with XNNPACK, whose kernels
    scale sums as 32-bit floats: a layer is left to such a kernel where that rises at the same sums as
    the program, which is checked for every sum that can occur, and is else computed in floats that
    hold its sums, scaled as integers by operators of their own. With "double" all operations are in
    kernels that round twice, as TensorFlow Lite Micro's do, and the integers are those of the
    interpreter with that rounding.

    Raises:
        UnsupportedError: if an operation has sums that these kernels cannot tell exactly.
        ValueError: if there is no such rounding.
    """
    check_rounding(rounding)
    graph = Graph(program.tensors[0], rounding)
    first, views = program.tensors[0], _views(program)
    value = graph.input
    if first.bits < 8:  # inputs beyond the range of the program are clipped, as it does
        limit = first.top + value.offset
        value = limited(graph, "input", value, first.zero, "MINIMUM", limit)
    values = [value]
    for index, (operation, signature) in enumerate(program.steps):
        inputs = [values[source] for source in operation.inputs]
        if isinstance(operation, Flatten) and index in views:
            value = moves.unordered(graph, operation, inputs[0], signature)
        else:
            value = _WRITERS[type(operation)](graph, operation, inputs, signature)
        values.append(value)
    described = file_metadata(class_names, preprocessing)
    metadata = {name: text.encode() for name, text in described.items()}
    return graph.model(values[-1], program.tensors[-1], metadata)


def _views(program: Program) -> set[int]:
    """The Flattens that only matrix products read, whose weights can follow the order of the graph."""
    last = len(program.operations)
    readers: dict[int, list[Operation]] = {}
    for operation in program.operations:
        for source in operation.inputs:
            readers.setdefault(source, []).append(operation)
    return {
        index
        for index, operation in enumerate(program.operations)
        if isinstance(operation, Flatten)
        and index + 1 != last
        and all(isinstance(reader, Linear) for reader in readers.get(index + 1, []))
    }
