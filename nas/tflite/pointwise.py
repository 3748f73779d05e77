"""Functions of one integer at a time, as tables, because kernels of functions round in their own ways."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nas.program.operations import Lut, Operation, PRelu
from nas.program.tensors import Signature
from nas.tflite.clamped import Clamp
from nas.tflite.graph import INT8, INT32, Graph, Value, Writer
from nas.tflite.wide import Wide


def _lut(graph: Graph, lut: Lut, inputs: Sequence[Value], signature: Signature) -> Value:
    clamp = Clamp(signature.result, 0, signature.result.top)
    return looked_up(graph, lut.name, inputs[0], lut.table[np.newaxis], clamp)


def _prelu(graph: Graph, prelu: PRelu, inputs: Sequence[Value], signature: Signature) -> Value:
    source, scaling = signature.source, prelu.scaling
    integers = np.arange(source.top + 1) - source.zero
    steps = integers.clip(min=0) * scaling.factors + np.outer(
        prelu.slope_factors, integers.clip(max=0)
    )
    rounded = np.floor(steps + 0.5) + signature.result.zero
    tables = rounded.clip(scaling.low, scaling.high).astype(np.uint8)
    return looked_up(graph, prelu.name, inputs[0], tables, Clamp.of(scaling, signature))


def looked_up(
    graph: Graph, name: str, value: Value, tables: NDArray[np.uint8], clamp: Clamp
) -> Value:
    """The entries of tables [1, levels], or [channels, levels], at the integers of a value; they are
    within the limits already.
    """
    count, levels = tables.shape
    whole = Wide(graph, name, value.shape)
    starts = np.arange(count) * levels - value.offset
    index = whole.plus(whole.cast(value.index, INT8, INT32), starts)
    result = graph.value(
        name, clamp.result.shape, clamp.result.zero, clamp.unit(graph), clamp.offset
    )
    stored = (tables.astype(np.int16) + clamp.offset).astype(np.int8).ravel()
    scales, zero = np.array([result.scale], np.float32), clamp.result.zero + clamp.offset
    table = graph.constant(stored, f"{name}.table", scales, zero=zero)
    graph.add("GATHER", [table, index], result.index, "GatherOptions", {"Axis": 0})
    return result


WRITERS: Mapping[type[Operation], Writer] = {Lut: _lut, PRelu: _prelu}
