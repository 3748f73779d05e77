"""Margins around images, which kernels only have in one way of their own."""

import numpy as np
import tflite

from nas.program.operations.windows import Pair, Window
from nas.tflite.graph import INT8, Graph, Value

SAME, VALID = tflite.Padding.SAME, tflite.Padding.VALID


def padded(
    graph: Graph, name: str, value: Value, window: Window, zero: int, filler: int | None = None
) -> tuple[Value, int]:
    """An image on which a kernel with the returned padding has the windows of the program.

    Margins hold `filler`, an integer of the program (None: what kernels themselves pad with, the
    zero point `zero` of a convolution, or nothing for a maximum).
    """
    size = value.shape[1:3]
    counts = window.counts(size)
    if not any(window.padding + window.ends):
        return value, VALID
    spans = [d * (k - 1) + 1 for k, d in zip(window.kernel, window.dilation, strict=True)]
    needed = [
        max((count - 1) * stride + span - n, 0)
        for count, stride, span, n in zip(counts, window.stride, spans, size, strict=True)
    ]
    rounded_up = [-(-n // stride) for n, stride in zip(size, window.stride, strict=True)]
    if [each // 2 for each in needed] == list(window.padding) and rounded_up == list(counts):
        return value, SAME
    (top, bottom), (left, right) = (
        (before, max(need - before, 0)) for before, need in zip(window.padding, needed, strict=True)
    )
    return with_margins(graph, name, value, (top, bottom), (left, right), zero, filler), VALID


def with_margins(
    graph: Graph,
    name: str,
    value: Value,
    rows: Pair,
    columns: Pair,
    zero: int,
    filler: int | None = None,
) -> Value:
    """An image with margins of its zero point, or of another integer of the program."""
    one, height, width, channels = value.shape
    shape = one, height + sum(rows), width + sum(columns), channels
    result = graph.like(value, f"{name}.padded", shape, zero)
    margins = np.array([(0, 0), rows, columns, (0, 0)], np.int32)
    inputs = [value.index, graph.constant(margins, f"{name}.margins")]
    if filler is None:
        graph.add("PAD", inputs, result.index, "PadOptions")
        return result
    number, scales = np.array([filler + value.offset], INT8), np.array([value.scale], np.float32)
    stored = graph.constant(number, f"{name}.filler", scales, zero=zero + value.offset)
    graph.add("PADV2", [*inputs, stored], result.index, "PadV2Options")
    return result


def span_fields(window: Window) -> dict[str, int | bool]:
    """The fields of a pooling's or a convolution's options that tell its strides."""
    return {"StrideH": window.stride[0], "StrideW": window.stride[1]}
