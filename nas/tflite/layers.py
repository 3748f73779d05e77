"""Convolutions and matrix products."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nas.program.operations import Conv, Linear, Operation
from nas.program.operations.layers import EXACT_FLOAT32
from nas.program.operations.windows import Window
from nas.program.tensors import Signature
from nas.quantize import UnsupportedError
from nas.tflite.clamped import NONE, Clamp
from nas.tflite.graph import FLOAT32, INT8, INT32, Graph, Value, Writer
from nas.tflite.moves import gathered
from nas.tflite.sums import LARGEST, Sums
from nas.tflite.wide import Wide
from nas.tflite.windows import padded, span_fields

LARGEST_LEVEL = 127
ONE_PIXEL = Window((1, 1), (1, 1), (0, 0))


def _conv(graph: Graph, conv: Conv, inputs: Sequence[Value], signature: Signature) -> Value:
    sums, clamp = Sums.of(conv, signature.source), Clamp.of(conv.scaling, signature)
    return convolved(graph, conv.name, inputs[0], sums, conv.window, conv.groups, clamp)


def _linear(graph: Graph, linear: Linear, inputs: Sequence[Value], signature: Signature) -> Value:
    """A convolution of one pixel: all kernels of such have a scale for each channel, and products of
    scales that round nowhere, which those of matrix products have not.
    """
    (value,), name, result = inputs, linear.name, signature.result
    sums, clamp = Sums.of(linear, signature.source), Clamp.of(linear.scaling, signature)
    levels = sums.levels if value.order is None else sums.levels[:, value.order]
    sums = replace(sums, levels=levels[:, :, np.newaxis, np.newaxis])
    shape = 1, 1, 1, levels.shape[1]
    pixel = graph.reshaped(value, f"{name}.pixel", shape, signature.source.zero)
    image = replace(clamp, result=replace(result, shape=(*result.shape, 1, 1)))
    found = convolved(graph, name, pixel, sums, ONE_PIXEL, 1, image)
    return graph.reshaped(found, f"{name}.vector", (1, len(levels)), result.zero)


def convolved(
    graph: Graph, name: str, value: Value, sums: Sums, window: Window, groups: int, clamp: Clamp
) -> Value:
    """A convolution with these sums, for levels [out, in / groups, kh, kw].

    Raises:
        UnsupportedError: if no operators round all of its sums as the program does.
    """
    _check_range(graph, name, sums)
    zero = sums.source.zero
    value, padding = padded(graph, name, value, window, zero)
    value, sums = _in_8_bits(graph, name, value, sums, groups)
    result = clamp.unit(graph)
    scales = (
        sums.scales(value.scale, result)
        if graph.rounding == "double"
        else sums.exact_scales(value.scale, result, clamp)
    )
    kind, options, fields = _operator(value, sums, window, groups)
    fields |= {"Padding": padding}
    if scales is None:
        return _exact(graph, name, value, sums, kind, options, fields, clamp)
    weights, axis = _laid_out(sums.levels.astype(INT8), kind)
    stored = [
        graph.constant(weights, f"{name}.weights", scales, axis),
        graph.constant(
            sums.biases.astype(INT32), f"{name}.biases", scales * np.float32(value.scale)
        ),
    ]
    found = clamp.unclamped(graph, name)
    fields |= {"FusedActivationFunction": clamp.activation}
    graph.add(kind, [value.index, *stored], found.index, options, fields)
    return clamp.clamped(graph, name, found, clamp.activation)


def _check_range(graph: Graph, name: str, sums: Sums) -> None:
    """Kernels add in 32 bits, and those that round twice shift up first where factors are above 1."""
    left = int(np.frexp(sums.factors.max())[1]) if graph.rounding == "double" else 0
    if sums.bound << max(left, 0) > LARGEST:
        raise UnsupportedError(
            f"{name!r} must have sums that 32 bits hold, but they reach {sums.bound}, and are "
            f"multiplied by up to {sums.factors.max():.4g}"
        )


def _in_8_bits(
    graph: Graph, name: str, value: Value, sums: Sums, groups: int
) -> tuple[Value, Sums]:
    """Levels of 9 bits, of weights with zero points, as the sums of two or three weights, each of
    which has a copy of the channels to itself.
    """
    copies = -(-int(np.abs(sums.levels).max(initial=0)) // LARGEST_LEVEL)
    if copies <= 1:
        return value, sums
    rest, parts = sums.levels, list[NDArray[np.int64]]()
    for _ in range(copies):
        parts.append(rest.clip(-LARGEST_LEVEL, LARGEST_LEVEL))
        rest = rest - parts[-1]
    channels = np.arange(value.shape[-1]).reshape(groups, -1)
    indices = np.tile(channels, (1, copies)).ravel()
    copied = gathered(graph, f"{name}.copies", value, indices, sums.source.zero)
    return copied, replace(sums, levels=np.concatenate(parts, 1))


def _operator(
    value: Value, sums: Sums, window: Window, groups: int
) -> tuple[str, str, dict[str, int | bool]]:
    dilation = {"DilationHFactor": window.dilation[0], "DilationWFactor": window.dilation[1]}
    fields = {**span_fields(window), **dilation}
    if groups == value.shape[-1] > 1:
        multiplier = {"DepthMultiplier": len(sums.levels) // groups}
        return "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", {**fields, **multiplier}
    return "CONV_2D", "Conv2DOptions", fields


def _laid_out(levels: NDArray[np.generic], kind: str) -> tuple[NDArray[np.generic], int]:
    """Weights [out, in, kh, kw] as an operator of this kind reads them, and its axis of channels."""
    if kind == "CONV_2D":
        return np.ascontiguousarray(levels.transpose(0, 2, 3, 1)), 0
    return np.ascontiguousarray(levels.transpose(1, 2, 3, 0)), 3


def _exact(
    graph: Graph,
    name: str,
    value: Value,
    sums: Sums,
    kind: str,
    options: str,
    fields: dict[str, int | bool],
    clamp: Clamp,
) -> Value:
    """Sums of products in 32-bit floats, which hold them exactly, scaled as integers."""
    zero = sums.source.zero
    products = (sums.bound - int(np.abs(sums.biases).min())) // sums.apart
    if products >= EXACT_FLOAT32:
        raise UnsupportedError(
            f"{name!r} must have sums that a kernel rounds as the program does, or of less than "
            f"{EXACT_FLOAT32}, but they reach {products}: use weights of fewer bits, fewer inputs or "
            "the rounding 'double'"
        )
    whole = Wide(graph, name, value.shape)
    real = whole.cast(value.index, INT8, FLOAT32)
    centred = graph.tensor(f"{name}.centred", value.shape, FLOAT32)
    number = graph.constant(np.full((1, 1, 1, 1), zero + value.offset, FLOAT32), f"{name}.zero")
    graph.add("SUB", [real, number], centred, "SubOptions")
    weights, _ = _laid_out((sums.levels // sums.apart).astype(INT8), kind)
    narrow = graph.constant(weights, f"{name}.weights", np.ones(1, np.float32))
    stored = graph.tensor(f"{name}.levels", weights.shape, FLOAT32)
    graph.add("DEQUANTIZE", [narrow], stored, "DequantizeOptions")
    biases = graph.constant(np.zeros(len(sums.levels), FLOAT32), f"{name}.biases")
    channels, *size = clamp.result.shape
    wide = Wide(graph, name, (1, *size, channels))
    total = graph.tensor(f"{name}.sum", wide.shape, FLOAT32)
    fields = {**fields, "FusedActivationFunction": NONE}
    graph.add(kind, [centred, stored, biases], total, options, fields)
    integers = wide.times(wide.cast(total, FLOAT32, INT32), sums.apart)
    biased = wide.plus(integers, sums.biases)
    return wide.rounded(biased, sums.multipliers, sums.shift, sums.bound, clamp)


WRITERS: Mapping[type[Operation], Writer] = {Conv: _conv, Linear: _linear}
