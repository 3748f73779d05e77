"""Operations that move numbers: those of the integer program, and those of float networks."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import fx, nn

from nas.lowering.moves import margins, upsampling
from nas.lowering.pooling import MAXIMA
from nas.onnx import pixels
from nas.onnx.float_call import FloatCall
from nas.onnx.graph import Graph, Writer
from nas.onnx.pooling import float_max_pool
from nas.program.operations import Flatten, Gather, Operation, Pad, Reshape, Upsample
from nas.program.operations.windows import Pair
from nas.program.tensors import Signature
from nas.quantize import Select, UnsupportedError
from nas.quantize.rearrangements import Entries, Step, Strided
from nas.tracing import Spread


def _gather(graph: Graph, gather: Gather, inputs: Sequence[str], _: Signature) -> str:
    indices = graph.constant(gather.indices, f"{gather.name}.indices")
    return graph.node("Gather", [*inputs, indices], gather.name, {"axis": 1})


def _flatten(graph: Graph, flatten: Flatten, inputs: Sequence[str], _: Signature) -> str:
    return graph.node("Flatten", inputs, flatten.name)


def _reshape(graph: Graph, reshape: Reshape, inputs: Sequence[str], _: Signature) -> str:
    return reshaped(graph, inputs, reshape.name, reshape.shape)


def reshaped(graph: Graph, inputs: Sequence[str], name: str, shape: Sequence[int]) -> str:
    """[N, …] as [N, *shape]."""
    # 0 keeps the dimension, here that of the batch.
    stored = graph.constant(np.array([0, *shape], np.int64), f"{name}.shape")
    return graph.node("Reshape", [*inputs, stored], name)


def _upsample(graph: Graph, upsample: Upsample, inputs: Sequence[str], _: Signature) -> str:
    return _enlarged(graph, inputs, upsample.name, upsample.factor)


def _enlarged(graph: Graph, inputs: Sequence[str], name: str, factor: int) -> str:
    """Each pixel of [N, C, H, W] repeated `factor` times in both directions."""
    scales = graph.constant(np.array([1, 1, factor, factor], np.float32), f"{name}.scales")
    nearest = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    return graph.node("Resize", [*inputs, "", scales], name, nearest)


# ONNX Runtime fuses a Pad with zeros and the pooling that reads it, though it then takes maxima
# without the zeros and refuses margins as wide as a window. So a clamp that changes nothing reads
# integers padded with 0, and floats are padded with the smallest number of full precision.
_LEAST_FLOAT = float(np.finfo(np.float32).tiny)


def _pad(graph: Graph, pad: Pad, inputs: Sequence[str], signature: Signature) -> str:
    source, name = signature.source, pad.name
    value = graph.number(source.zero, np.uint8)
    if source.zero > 0:
        return _padded(graph, [*inputs, value], name, pad.rows, pad.columns)
    padded = _padded(graph, [*inputs, value], f"{name}.unclamped", pad.rows, pad.columns)
    return graph.clamp(padded, name, (0, source.top))


def _padded(graph: Graph, inputs: Sequence[str], name: str, rows: Pair, columns: Pair) -> str:
    """The first of `inputs`, [N, C, H, W], with margins of the second, a number."""
    (top, bottom), (left, right) = rows, columns
    pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    source, value = inputs
    return graph.node("Pad", [source, graph.constant(pads, f"{name}.pads"), value], name)


WRITERS: Mapping[type[Operation], Writer] = {
    Gather: _gather,
    Flatten: _flatten,
    Reshape: _reshape,
    Upsample: _upsample,
    Pad: _pad,
    **pixels.WRITERS,
}


def float_move(graph: Graph, call: FloatCall) -> str:
    """Adds an operation of a float network that moves or selects numbers, if any, and returns the
    name of its result.

    Raises:
        UnsupportedError: if it has no ONNX form here, or is called in a way that has none.
    """
    kind = type(call.function) if isinstance(call.function, nn.Module) else call.function
    if kind not in _MOVES:
        known = ", ".join(sorted(each.__name__ for each in _MOVES if isinstance(each, type)))
        raise UnsupportedError(
            f"{call.name!r} must be a move with an ONNX form, but is {call.function}; these modules have one: {known}"
        )
    return _MOVES[kind](graph, call)


def _float_select(graph: Graph, call: FloatCall) -> str:
    indices = graph.constant(call.function.indices.numpy(), f"{call.name}.indices")
    return graph.node("Gather", [*call.inputs, indices], call.name, {"axis": 1})


def _float_upsample(graph: Graph, call: FloatCall) -> str:
    if len(call.shape) != 4:
        raise UnsupportedError(f"{call.name!r} must enlarge images [C, H, W], not signals [C, L]")
    factor = upsampling(call.function, call.name, call.sources[0][1:])
    return _enlarged(graph, call.inputs, call.name, factor)


def _float_pad(graph: Graph, call: FloatCall) -> str:
    rows, columns = margins(call.function, call.name)
    if not any(rows + columns):
        return call.inputs[0]
    least = graph.number(_LEAST_FLOAT)
    if len(call.shape) == 4:
        return _padded(graph, [*call.inputs, least], call.name, rows, columns)
    pads = np.array([0, 0, columns[0], 0, 0, columns[1]], np.int64)
    stored = graph.constant(pads, f"{call.name}.pads")
    return graph.node("Pad", [*call.inputs, stored, least], call.name)


def float_rearrangement(graph: Graph, node: fx.Node, source: str, steps: Sequence[Step]) -> str:
    """Adds the steps of a rearrangement in a float network, and returns the name of its result."""
    for step in steps:
        if isinstance(step, Entries):
            indices = graph.constant(step.indices, f"{node.name}.indices")
            source = graph.node("Gather", [source, indices], node.name, {"axis": 1})
        elif isinstance(step, Strided):
            source = pixels.sliced(graph, source, node.name, step)
        elif len(step.shape) == 1:
            source = graph.node("Flatten", [source], node.name)
        else:
            source = reshaped(graph, [source], node.name, step.shape)
    return source


def _same(_: Graph, call: FloatCall) -> str:
    return call.inputs[0]


_MOVES: Mapping[object, Callable[[Graph, FloatCall], str]] = {
    **dict.fromkeys(MAXIMA, float_max_pool),
    Select: _float_select,
    **dict.fromkeys((nn.Upsample, nn.UpsamplingNearest2d), _float_upsample),
    **dict.fromkeys((nn.ConstantPad1d, nn.ZeroPad1d, nn.ConstantPad2d, nn.ZeroPad2d), _float_pad),
    Spread: pixels.float_spread,
    **dict.fromkeys((nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d), _same),
}
