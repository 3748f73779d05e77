"""Operations that move integers."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nas.program.operations import Flatten, Gather, Operation, Pad, Reshape, Upsample
from nas.program.tensors import Shape, Signature
from nas.tflite.graph import Graph, Value, Writer, held_shape
from nas.tflite.windows import with_margins


def _gather(graph: Graph, gather: Gather, inputs: Sequence[Value], signature: Signature) -> Value:
    return gathered(graph, gather.name, inputs[0], gather.indices, signature.source.zero)


def gathered(
    graph: Graph, name: str, value: Value, indices: NDArray[np.integer], zero: int, axis: int = -1
) -> Value:
    """The entries of a value with these indices along an axis, that of channels unless told, in their
    order.
    """
    axis %= len(value.shape)
    shape = *value.shape[:axis], len(indices), *value.shape[axis + 1 :]
    result = graph.like(value, name, shape, zero)
    stored = graph.constant(indices.astype(np.int32), f"{name}.indices")
    graph.add("GATHER", [value.index, stored], result.index, "GatherOptions", {"Axis": axis})
    return result


def _flatten(
    graph: Graph, flatten: Flatten, inputs: Sequence[Value], signature: Signature
) -> Value:
    return _in_order(graph, flatten.name, inputs[0], signature)


def _reshape(
    graph: Graph, reshape: Reshape, inputs: Sequence[Value], signature: Signature
) -> Value:
    return _in_order(graph, reshape.name, inputs[0], signature)


def _in_order(graph: Graph, name: str, value: Value, signature: Signature) -> Value:
    """The same integers, in the order of the program, in another shape."""
    source, target, zero = signature.source.shape, signature.result.shape, signature.source.zero
    channels_last = source[0] == target[0] or source[0] == 1 == target[0]
    if not channels_last:
        value = transposed(graph, f"{name}.first", value, source, zero, last=False)
        if _moves(target):
            value = graph.reshaped(value, f"{name}.shaped", (1, *target), zero)
            return transposed(graph, name, value, target, zero, last=True)
    shape = held_shape(target)
    return value if shape == value.shape else graph.reshaped(value, name, shape, zero)


def transposed(graph: Graph, name: str, value: Value, shape: Shape, zero: int, last: bool) -> Value:
    """A value of this shape in the program with its channels last, or first."""
    if not _moves(shape):
        return value
    rank = len(shape)
    order = (0, *range(2, rank + 1), 1) if last else (0, rank, *range(1, rank))
    result = graph.like(value, name, [value.shape[axis] for axis in order], zero)
    stored = graph.constant(np.array(order, np.int32), f"{name}.order")
    graph.add("TRANSPOSE", [value.index, stored], result.index, "TransposeOptions")
    return result


def _moves(shape: Shape) -> bool:
    """Whether integers lie in another order where channels are last."""
    return shape[0] > 1 and int(np.prod(shape[1:])) > 1


def unordered(graph: Graph, flatten: Flatten, value: Value, signature: Signature) -> Value:
    """A flattened value that stays in the order of the graph, which readers are told."""
    channels, *size = signature.source.shape
    places = np.moveaxis(np.arange(signature.source.size).reshape(channels, *size), 0, -1)
    shape, zero = held_shape(signature.result.shape), signature.source.zero
    flat = graph.reshaped(value, flatten.name, shape, zero)
    return Value(flat.index, flat.shape, flat.scale, flat.offset, places.ravel())


def _upsample(
    graph: Graph, upsample: Upsample, inputs: Sequence[Value], signature: Signature
) -> Value:
    (value,), zero, name = inputs, signature.source.zero, upsample.name
    result = graph.like(value, name, held_shape(signature.result.shape), zero)
    size = graph.constant(np.array(signature.result.shape[1:], np.int32), f"{name}.size")
    # Centres of pixels fall inside those that they are copied from, whatever rounds.
    fields = {"AlignCorners": False, "HalfPixelCenters": True}
    options = "ResizeNearestNeighborOptions"
    inputs_ = [value.index, size]
    graph.add("RESIZE_NEAREST_NEIGHBOR", inputs_, result.index, options, fields)
    return result


def _pad(graph: Graph, pad: Pad, inputs: Sequence[Value], signature: Signature) -> Value:
    return with_margins(graph, pad.name, inputs[0], pad.rows, pad.columns, signature.source.zero)


WRITERS: Mapping[type[Operation], Writer] = {
    Gather: _gather,
    Flatten: _flatten,
    Reshape: _reshape,
    Upsample: _upsample,
    Pad: _pad,
}
