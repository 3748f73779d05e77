"""Sums, products and concatenations."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nas.program.operations import Add, Concat, Mul, Operation
from nas.program.rounded_sums import nearby
from nas.program.tensors import Signature
from nas.quantize import UnsupportedError
from nas.tflite.clamped import NONE, Clamp
from nas.tflite.graph import INT32, Graph, Value, Writer
from nas.tflite.pointwise import looked_up
from nas.tflite.pooling import joined
from nas.tflite.sums import LARGEST
from nas.tflite.wide import Wide


def _add(graph: Graph, add: Add, inputs: Sequence[Value], signature: Signature) -> Value:
    clamp, factors = Clamp.of(add.scaling, signature), add.scaling.factors
    plain = graph.rounding == "single" or bool((factors == 1).all())
    if len(inputs) == 2 and plain and factors.min() >= 2.0**-9 and factors.max() < 2.0**7:
        unit = clamp.unit(graph)
        summands = [
            relabelled(graph, add.name, value, source.zero, unit * factor)
            for value, source, factor in zip(inputs, signature.sources, factors, strict=True)
        ]
        return _kernel(graph, "ADD", "AddOptions", add.name, summands, clamp)
    name = add.name
    multipliers = add.scaling.multipliers.astype(np.int64)
    wide = Wide(graph, name, inputs[0].shape)
    total = bound = 0
    for place, (value, source) in enumerate(zip(inputs, signature.sources, strict=True)):
        part = wide.times(wide.held(value, source.zero), int(multipliers[place]))
        total = part if place == 0 else wide.both("ADD", total, part, "AddOptions")
        bound += int(multipliers[place]) * max(source.zero, source.top - source.zero)
    assert bound <= LARGEST  # 64 summands of 8 bits, times 16
    if graph.rounding == "single":
        return wide.rounded(total, np.ones(1, np.int64), add.scaling.shift, bound, clamp)
    return _requantized(graph, name, total, 0.5**add.scaling.shift, clamp, wide.shape)


def _requantized(
    graph: Graph, name: str, total: int, factor: float, clamp: Clamp, shape: Sequence[int]
) -> Value:
    """Sums in 32-bit integers, times a power of two, rounded twice."""
    found = clamp.unclamped(graph, name)
    scales = np.array([found.scale * factor], np.float32)
    held = graph.tensor(f"{name}.total", shape, INT32, scales)
    zero = graph.constant(np.zeros((1,) * len(shape), np.int32), f"{name}.none")
    graph.add("ADD", [total, zero], held, "AddOptions")
    graph.add("QUANTIZE", [held], found.index, "QuantizeOptions")
    return clamp.clamped(graph, name, found, NONE)


def _mul(graph: Graph, mul: Mul, inputs: Sequence[Value], signature: Signature) -> Value:
    clamp, name = Clamp.of(mul.scaling, signature), mul.name
    first, second = inputs
    (factor,), zero = mul.scaling.factors.tolist(), signature.sources[1].zero
    if factor == 0:
        raise UnsupportedError(f"{name!r} must have a multiplier of 1 or more, but has 0")
    unit = clamp.unit(graph)
    scale: float | None = factor * unit / first.scale
    if graph.rounding == "single":
        scale = _exact_scale(mul, signature, first.scale, unit, clamp)
    if scale is not None:
        factors = [first, relabelled(graph, name, second, zero, scale)]
        return _kernel(graph, "MUL", "MulOptions", name, factors, clamp)
    wide = Wide(graph, name, first.shape)
    one, other = (
        wide.held(value, source.zero)
        for value, source in zip(inputs, signature.sources, strict=True)
    )
    product = wide.both("MUL", one, other, "MulOptions")
    bound = int(np.abs(_products(signature)).max())
    multipliers = mul.scaling.multipliers.astype(np.int64)
    return wide.rounded(product, multipliers, mul.scaling.shift, bound, clamp)


def _products(signature: Signature) -> NDArray[np.int64]:
    one, other = (np.arange(each.top + 1) - each.zero for each in signature.sources)
    return np.unique(np.multiply.outer(one, other))


def _exact_scale(
    mul: Mul, signature: Signature, first: float, result: float, clamp: Clamp
) -> float | None:
    """The scale of the second factor with which a kernel that rounds once, in 32-bit floats and half
    to even, gives the program's integers for every product; None where none is found.
    """
    products, (factor,) = _products(signature), mul.scaling.factors.tolist()
    low, high = clamp.low - clamp.result.zero, clamp.high - clamp.result.zero
    wanted = np.floor(products * factor + 0.5).clip(low, high)
    nearest = np.array([factor * result / first], np.float32)
    for (scale,) in nearby(nearest):
        kernel = np.float32(first) * scale / np.float32(result)
        found = np.rint(products.astype(np.float32) * kernel).clip(low, high)
        if (found == wanted).all():
            return float(scale)
    return None


def relabelled(graph: Graph, name: str, value: Value, zero: int, scale: float) -> Value:
    """The same integers with another scale, which kernels take multipliers from."""
    if scale == value.scale:
        return value
    return graph.reshaped(value, f"{name}.scaled", value.shape, zero, scale)


def _kernel(
    graph: Graph, kind: str, options: str, name: str, inputs: Sequence[Value], clamp: Clamp
) -> Value:
    found = clamp.unclamped(graph, name)
    fields = {"FusedActivationFunction": clamp.activation}
    indices = [value.index for value in inputs]
    graph.add(kind, indices, found.index, options, fields)
    return clamp.clamped(graph, name, found, clamp.activation)


def _concat(graph: Graph, concat: Concat, inputs: Sequence[Value], signature: Signature) -> Value:
    """Parts whose integers differ from those of the result are looked up in tables."""
    clamp, zero, parts = Clamp.of(concat.scaling, signature), signature.result.zero, list[Value]()
    factors = concat.scaling.factors
    for value, source, factor in zip(inputs, signature.sources, factors, strict=True):
        integers = np.arange(source.top + 1)
        rounded = np.floor((integers - source.zero) * factor + 0.5) + zero
        table = rounded.clip(clamp.low, clamp.high).astype(np.uint8)
        if value.offset == clamp.offset and (table == integers).all():
            parts.append(relabelled(graph, concat.name, value, zero, clamp.unit(graph)))
        else:
            part = replace(clamp, result=replace(clamp.result, shape=source.shape))
            parts.append(looked_up(graph, concat.name, value, table[np.newaxis], part))
    return joined(graph, concat.name, parts, len(parts[0].shape) - 1, zero)


WRITERS: Mapping[type[Operation], Writer] = {Add: _add, Mul: _mul, Concat: _concat}
