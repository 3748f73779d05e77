"""Slices and spread pixels: those of the integer program, and those of float networks."""

from collections.abc import Mapping, Sequence

import numpy as np

from nas.onnx.float_call import FloatCall
from nas.onnx.graph import Graph, Writer
from nas.program.operations import Operation, Slice, Spread
from nas.program.tensors import Signature
from nas.quantize.rearrangements import Strided


def _slice(graph: Graph, slicing: Slice, inputs: Sequence[str], _: Signature) -> str:
    found = Strided(slicing.starts, slicing.steps, slicing.counts)
    return sliced(graph, inputs[0], slicing.name, found)


def sliced(graph: Graph, source: str, name: str, found: Strided) -> str:
    """The elements of [N, C, …] that a slice of its dimensions behind the channels leaves."""
    axes = zip(found.starts, found.counts, found.steps, strict=True)
    ends = [start + (count - 1) * step + 1 for start, count, step in axes]
    numbers = found.starts, ends, range(2, 2 + len(ends)), found.steps
    stored = [
        graph.constant(np.array(values, np.int64), f"{name}.{part}")
        for part, values in zip(("starts", "ends", "axes", "steps"), numbers, strict=True)
    ]
    return graph.node("Slice", [source, *stored], name)


def _spread(graph: Graph, spread: Spread, inputs: Sequence[str], signature: Signature) -> str:
    value = graph.number(signature.source.zero, np.uint8)
    axes = zip(signature.source.shape[1:], spread.factors, spread.ends, strict=True)
    return spread_out(graph, [*inputs, value], spread.name, list(axes))


def spread_out(
    graph: Graph, inputs: Sequence[str], name: str, axes: Sequence[tuple[int, int, int]]
) -> str:
    """The first of `inputs`, [N, C, …], with the second, a number, between its elements and behind
    them; `axes` are the size, the factor and the end of each dimension behind the channels.
    """
    # The number follows the last element, and so can be selected.
    pads = graph.constant(
        np.array([0] * (4 + len(axes)) + [1] * len(axes), np.int64), f"{name}.pads"
    )
    source, value = inputs
    found = graph.node("Pad", [source, pads, value], f"{name}.padded")
    for axis, (size, factor, end) in enumerate(axes, 2):
        indices = np.full((size - 1) * factor + 1 + end, size, np.int64)
        indices[: len(indices) - end : factor] = np.arange(size)
        stored = graph.constant(indices, f"{name}.indices")
        found = graph.node("Gather", [found, stored], name, {"axis": axis})
    return found


WRITERS: Mapping[type[Operation], Writer] = {Slice: _slice, Spread: _spread}


def float_spread(graph: Graph, call: FloatCall) -> str:
    """Adds zeros between the pixels of a float network, and returns the name of its result."""
    axes = zip(call.sources[0][2:], call.function.factors, call.function.ends, strict=True)
    return spread_out(graph, [*call.inputs, graph.number(0.0)], call.name, list(axes))
