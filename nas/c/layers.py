"""Convolutions and matrix products."""

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from nas.c.errors import require
from nas.c.orders import Order
from nas.c.rounding import INT32, furthest, half
from nas.c.source import Source, fields, literal
from nas.c.stored_weights import StoredWeights, stored
from nas.c.windows import window_fields
from nas.c.writer import Writers
from nas.program.biases import bias_shift
from nas.program.operations import Conv, Layer, Linear
from nas.program.tensors import Signature

LANES = 8
"""Channels that are computed side by side, where a dot product would be short or is none."""
PIECE = 64
"""Weights of a matrix product that are unpacked at once."""
SHORT = 16
"""Products of one row of a window, below which channels are computed side by side."""


def kernel_of(layer: Layer, signature: Signature) -> str:
    """The kernel that computes a layer: linear, depthwise, few (few channels), point (single pixels) or
    conv.
    """
    if isinstance(layer, Linear):
        return "linear"
    assert isinstance(layer, Conv)
    channels, results = signature.source.shape[0], layer.weights.shape[0]
    each, kernel = layer.weights.shape[1], layer.weights.shape[2:]
    if layer.groups == channels == results > 1:
        return "depthwise"
    if layer.groups == 1 and each * (kernel[1] if layer.dilation[1] == 1 else 1) < SHORT:
        return "few"
    single = (kernel, layer.stride, layer.padding, layer.groups) == ((1, 1), (1, 1), (0, 0), 1)
    return "point" if single else "conv"


def _conv(source: Source, conv: Conv, signature: Signature, _: Sequence[Order]) -> list[str]:
    channels, results = signature.source.shape[0], conv.weights.shape[0]
    size, zero = prod(conv.weights.shape[1:]), signature.source.zero
    lines, kernel = [window_fields(signature, conv.window)], kernel_of(conv, signature)
    if kernel in ("depthwise", "few"):
        called = f"in0, out, &of, {zero}"
        return _layer(source, conv, signature, kernel, size, LANES, lines, called)
    if kernel == "point":
        called = f"in0, out, {signature.result.size // results}, {channels}, {results}, {zero}"
        return _layer(source, conv, signature, kernel, size, 2, [], called)
    called = f"in0, out, &of, {conv.groups}, {zero}"
    return _layer(source, conv, signature, kernel, size, 2, lines, called)


def _linear(
    source: Source, linear: Linear, signature: Signature, orders: Sequence[Order]
) -> list[str]:
    results, count = linear.weights.shape
    called = f"in0, out, {count}, {results}, {signature.source.zero}"
    columns = orders[0].elements
    return _layer(source, linear, signature, "linear", count, 1, [], called, columns)


def _layer(
    source: Source,
    layer: Layer,
    signature: Signature,
    kernel: str,
    size: int,
    together: int,
    lines: list[str],
    called: str,
    columns: NDArray[np.int64] | None = None,
) -> list[str]:
    """The lines of a layer whose channels of `size` weights are computed `together` at once."""
    _check_sums(layer, signature)
    lines = [*lines, _scaling(source, layer, signature)]
    values = _in_memory_order(layer.weights.values, columns).astype(np.int8)
    levels = _in_memory_order(layer.weights.levels, columns)
    piece = min(size, PIECE) if isinstance(layer, Linear) else size
    if source.is_plain(piece * together) and levels.min() >= -128 and levels.max() <= 127:
        rows = _side_by_side(levels) if together == LANES else levels
        table = source.table(f"{layer.name}: weights", rows.astype(np.int8))
        return [*lines, f"{source.kernel(kernel + '_8')}({called}, {table}, &by);"]
    source.need_scratch(piece * together)
    lines.append(_weights(source, layer, stored(values, layer.weights.bits)))
    end = f", {piece}" if isinstance(layer, Linear) else ""
    return [
        *lines,
        f"{source.kernel(kernel + '_16')}({called}, &weights, scratch{end}, &by);",
    ]


def _check_sums(layer: Layer, signature: Signature) -> None:
    rows = np.abs(layer.weights.levels.reshape(len(layer.weights.values), -1))
    largest = int(rows.sum(1, dtype=np.int64).max()) * furthest(signature.source)
    require(
        largest <= INT32,
        f"its sums of products must fit 32 bits, but reach {largest:,}",
    )


def _in_memory_order(
    values: NDArray[np.int8] | NDArray[np.int16], columns: NDArray[np.int64] | None
) -> NDArray[np.int16]:
    """Weights [out, size] in the order of the integers that they are multiplied with."""
    if columns is not None:
        return values[:, columns].astype(np.int16)
    rows = np.ascontiguousarray(values.transpose(0, 2, 3, 1)).reshape(len(values), -1)
    return rows.astype(np.int16)


def _side_by_side(
    levels: NDArray[np.int16],
) -> NDArray[np.int16]:
    """[out / 8, size, 8], with zeros for channels that there are not."""
    missing = -len(levels) % LANES
    rows = np.pad(levels, ((0, missing), (0, 0)))
    return rows.reshape(-1, LANES, levels.shape[1]).transpose(0, 2, 1)


def _scaling(source: Source, layer: Layer, signature: Signature) -> str:
    finer = bias_shift(layer.weights.level_bits)
    shift = layer.scaling.shift + finer
    return fields(
        "scaling",
        "by",
        biases=source.table(f"{layer.name}: biases", layer.biases),
        multipliers=source.table(f"{layer.name}: multipliers", layer.scaling.multipliers),
        half=literal(half(layer, signature.result, finer)),
        finer=finer,
        shift=shift,
        least=literal(layer.scaling.low << shift),
        most=literal((layer.scaling.high + 1 << shift) - 1),
    )


def _weights(source: Source, layer: Layer, form: StoredWeights) -> str:
    symbols = source.table(f"{layer.name}: weights", form.symbols) if form.symbols else "NULL"
    values: dict[str, int | str] = {
        "symbols": f"{{{symbols}, 0, 0}}",
        "width": form.width,
        "bits": layer.weights.bits,
    }
    if form.values is not None:
        source.features.add("CODEBOOKS")
        values["values"] = source.table(f"{layer.name}: codebook", form.values)
    if layer.weights.zero_points is not None:
        source.features.add("ZERO_POINTS")
        values["zeros"] = source.table(
            f"{layer.name}: zero points of weights", layer.weights.zero_points
        )
    lines = []
    if form.marks is not None:
        marks = source.table(f"{layer.name}: {'gaps' if form.gap_width else 'mask'}", form.marks)
        values["marks"] = f"{{{marks}, 0, 0}}"
        if form.gap_width:
            source.features.add("GAPS")
            values |= {"gap_width": form.gap_width, "left": literal(form.count)}
            lines = ["weights.gap = take(&weights.marks, weights.gap_width);"]
        else:
            source.features.add("MASKS")
            values["masked"] = 1
    return "\n".join([fields("weights", "weights", **values), *lines])


WRITERS: Writers = {Conv: _conv, Linear: _linear}
