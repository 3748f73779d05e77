"""Poolings: averages are convolutions with ones, because pooling kernels know no multipliers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from nas.program.operations import AvgPool, EdgeAvgPool, EdgeMaxPool, MaxPool, Operation
from nas.program.operations.windows import Pair, Window
from nas.program.tensors import Signature, TensorType
from nas.tflite.clamped import NONE, Clamp
from nas.tflite.graph import Graph, Value, Writer, held_shape
from nas.tflite.layers import convolved
from nas.tflite.sums import Sums
from nas.tflite.windows import padded, span_fields, with_margins


def _max_pool(graph: Graph, pool: MaxPool, inputs: Sequence[Value], signature: Signature) -> Value:
    (value,), zero, name = inputs, signature.source.zero, pool.name
    value, padding = padded(graph, name, value, pool.window, zero, filler=0)
    result = graph.like(value, name, held_shape(signature.result.shape), zero)
    height, width = pool.kernel
    fields = {
        **span_fields(pool.window),
        "FilterHeight": height,
        "FilterWidth": width,
        "Padding": padding,
        "FusedActivationFunction": NONE,
    }
    graph.add("MAX_POOL_2D", [value.index], result.index, "Pool2DOptions", fields)
    return result


def _avg_pool(graph: Graph, pool: AvgPool, inputs: Sequence[Value], signature: Signature) -> Value:
    (multiplier,), clamp = pool.scaling.multipliers, Clamp.of(pool.scaling, signature)
    sums = _ones(signature.source, pool.kernel, int(multiplier), pool.scaling.shift)
    channels, *size = signature.source.shape
    # Where one window fits, the stride does not matter, and processors for networks have none above 3.
    close = replace(pool.window, stride=(1, 1))
    window = close if close.counts(size) == (1, 1) else pool.window
    return convolved(graph, pool.name, inputs[0], sums, window, channels, clamp)


def _ones(source: TensorType, kernel: Pair, multiplier: int, shift: int) -> Sums:
    """The sum of a window of each channel, or zeros where the multiplier is 0."""
    ones = np.full((source.shape[0], 1, *kernel), int(multiplier > 0), np.int64)
    multipliers = np.full(len(ones), multiplier or 2**shift, np.int64)
    return Sums(source, ones, np.zeros(len(ones), np.int64), multipliers, shift)


def _edge_avg_pool(
    graph: Graph, pool: EdgeAvgPool, inputs: Sequence[Value], signature: Signature
) -> Value:
    """One average for each rectangle of windows that have the same number of pixels, of its own part
    of the padded image, and all of them side by side.
    """
    source, name, window = signature.source, pool.name, pool.window
    pixels = pool.pixels(source.shape)
    ranks = np.searchsorted(np.unique(pixels), pixels)
    (top, bottom), (left, right) = zip(window.padding, window.ends, strict=True)
    image = inputs[0]
    if any((top, bottom, left, right)):
        image = with_margins(graph, name, image, (top, bottom), (left, right), source.zero)
    bands = list[Value]()
    for rows in _runs(ranks):
        parts = list[Value]()
        for columns in _runs(ranks[rows.start :][:1].T):
            multiplier = int(pool.scaling.multipliers[ranks[rows.start, columns.start]])
            part = _part(graph, name, image, window, rows, columns, source)
            sums = _ones(source, pool.kernel, multiplier, pool.scaling.shift)
            shape = source.shape[0], len(rows), len(columns)
            clamp = Clamp.of(pool.scaling, signature)
            clamp = replace(clamp, result=replace(signature.result, shape=shape))
            inner = Window(window.kernel, window.stride, (0, 0))
            parts.append(convolved(graph, name, part, sums, inner, source.shape[0], clamp))
        bands.append(joined(graph, name, parts, 2, signature.result.zero))
    return joined(graph, name, bands, 1, signature.result.zero)


def _runs(ranks: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> list[range]:
    """The runs of equal rows."""
    runs, start = list[range](), 0
    for _, group in groupby(ranks.tolist()):
        count = len(list(group))
        runs.append(range(start, start + count))
        start += count
    return runs


def _part(
    graph: Graph,
    name: str,
    image: Value,
    window: Window,
    rows: range,
    columns: range,
    source: TensorType,
) -> Value:
    """The pixels that the windows in these rows and columns have."""
    begin, size = [0, 0, 0, 0], list(image.shape)
    for axis, run, stride, kernel in zip(
        (1, 2), (rows, columns), window.stride, window.kernel, strict=True
    ):
        begin[axis], size[axis] = run.start * stride, (len(run) - 1) * stride + kernel
    if tuple(size) == image.shape:
        return image
    result = graph.like(image, f"{name}.part", size, source.zero)
    places = [graph.constant(np.array(each, np.int32), f"{name}.span") for each in (begin, size)]
    graph.add("SLICE", [image.index, *places], result.index, "SliceOptions")
    return result


def joined(graph: Graph, name: str, values: Sequence[Value], axis: int, zero: int) -> Value:
    """Values of one scale and offset one after the other."""
    if len(values) == 1:
        return values[0]
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    result = graph.like(values[0], name, shape, zero)
    fields = {"Axis": axis, "FusedActivationFunction": NONE}
    indices = [value.index for value in values]
    graph.add("CONCATENATION", indices, result.index, "ConcatenationOptions", fields)
    return result


WRITERS: Mapping[type[Operation], Writer] = {
    MaxPool: _max_pool,
    EdgeMaxPool: _max_pool,
    AvgPool: _avg_pool,
    EdgeAvgPool: _edge_avg_pool,
}
