"""Slices and spread pixels, as selections of rows and of columns."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nas.program.operations import Operation, Slice, Spread
from nas.program.tensors import Signature
from nas.tflite.graph import Graph, Value, Writer
from nas.tflite.moves import gathered
from nas.tflite.windows import with_margins


def _slice(graph: Graph, slicing: Slice, inputs: Sequence[Value], signature: Signature) -> Value:
    axes = zip(slicing.starts, slicing.counts, slicing.steps, strict=True)
    places = [start + step * np.arange(count) for start, count, step in axes]
    return _selected(graph, slicing.name, inputs[0], places, signature.source.zero)


def _spread(graph: Graph, spread: Spread, inputs: Sequence[Value], signature: Signature) -> Value:
    # The zeros of a margin behind the last pixel are what is between pixels.
    zero, places = signature.source.zero, list[NDArray[np.int64]]()
    axes = zip(signature.source.shape[1:], spread.factors, spread.ends, strict=True)
    for size, factor, end in axes:
        found = np.full((size - 1) * factor + 1 + end, size)
        found[: len(found) - end : factor] = np.arange(size)
        places.append(found)
    padded = with_margins(graph, spread.name, inputs[0], (0, 1), (0, 1), zero)
    return _selected(graph, spread.name, padded, places, zero)


def _selected(
    graph: Graph, name: str, value: Value, places: Sequence[NDArray[np.int64]], zero: int
) -> Value:
    """The rows and the columns of an image with these indices."""
    rows = gathered(graph, f"{name}.rows", value, places[0], zero, 1)
    return gathered(graph, name, rows, places[1], zero, 2)


WRITERS: Mapping[type[Operation], Writer] = {Slice: _slice, Spread: _spread}
