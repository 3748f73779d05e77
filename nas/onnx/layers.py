"""The convolutions and matrix products of the integer program as ONNX."""

import numpy as np
from numpy.typing import NDArray

from nas.onnx.graph import Attributes, Graph, windows
from nas.program.biases import bias_shift, bias_units
from nas.program.operations import Conv, Levels, Linear, Scaling, TensorType, Weights
from nas.quantize import UnsupportedError

LARGEST_SUM = 2**30 - 1

Vector = NDArray[np.float64]


def factors(scaling: Scaling) -> Vector:
    """The multipliers as real numbers."""
    return scaling.multipliers.astype(np.float64) * 0.5**scaling.shift


def layer(
    graph: Graph, operation: Conv | Linear, value: str, source: TensorType, result: TensorType
) -> str:
    """Adds a layer that reads the integers `value`, and returns the name of the integers that it
    gives.

    Raises:
        UnsupportedError: if its weights have 8 bits and zero points that ONNX Runtime cannot do
            with.
    """
    name = operation.name
    levels, units = _finer(operation)
    weights, zero = _in_8_bits(levels, name)
    scales = (units * (result.scale / source.scale)).astype(np.float32)
    # Zero points may be left out, but then ONNX Runtime fuses no products. It rewrites constants,
    # so none is shared.
    stored = (
        ("levels", weights),
        ("scale", scales),
        ("zero", np.full(len(scales), zero, weights.dtype)),
    )
    constants = [graph.constant(values, f"{name}.{part}") for part, values in stored]
    real = graph.real(value, f"{name}.source", source.scale, source.zero)
    dequantized = graph.node("DequantizeLinear", constants, f"{name}.weight", {"axis": 0})
    biases = graph.constant((_biases(operation) * result.scale).astype(np.float32), f"{name}.bias")
    kind, attributes = (
        ("Gemm", {"transB": 1}) if isinstance(operation, Linear) else ("Conv", _geometry(operation))
    )
    total = graph.node(kind, [real, dequantized, biases], f"{name}.sum", attributes)
    return graph.integers(
        total, name, result.scale, result.zero, (operation.scaling.low, operation.scaling.high)
    )


def _biases(operation: Conv | Linear) -> Vector:
    """The biases in steps of the result."""
    return operation.biases * bias_units(operation.scaling, operation.level_bits)


def _geometry(operation: Conv) -> Attributes:
    spans = windows(operation.weights.shape[2:], operation.stride, operation.padding)
    return {**spans, "dilations": operation.dilation, "group": operation.groups}


def _finer(operation: Conv | Linear) -> tuple[Levels, Vector]:
    """Levels of weights that are shifted up to 7 bits, and for each channel the unit of their sums
    in steps of the result.

    The unit is then that of the biases, but in a layer so large that its sums would not fit 32
    bits.
    """
    rows = operation.levels.reshape(len(operation.weights), -1).astype(np.float64)
    largest = 255 * float(np.abs(rows).sum(1).max())
    finer = max(1, min(2 ** bias_shift(operation.level_bits), int(LARGEST_SUM / max(largest, 1.0))))
    gains = factors(operation.scaling)
    # The multiplier of a channel may be 0; its bias needs a unit all the same, of which 32 bits
    # hold enough.
    units = np.maximum(gains / finer, np.maximum(np.abs(_biases(operation)), 1.0) / LARGEST_SUM)
    return np.rint(rows * (gains / units)[:, np.newaxis]).astype(np.int16).reshape(
        operation.weights.shape
    ), units


def _in_8_bits(levels: Levels, name: str) -> tuple[Weights | NDArray[np.uint8], int]:
    """Levels as signed integers, or as unsigned ones with a zero point, of which ONNX Runtime takes
    one for all channels.
    """
    low, high = int(levels.min(initial=0)), int(levels.max(initial=0))
    if low >= -128 and high <= 127:
        return levels.astype(np.int8), 0
    if high - low > 255:
        raise UnsupportedError(
            f"{name!r} must have weights that one zero point brings to 0 … 255 in all channels, but their levels lie in "
            f"{low} … {high}: use 7 bits, symmetric weights, or weight_scales='tensor' without negative gains behind the layer"
        )
    return (levels - low).astype(np.uint8), -low
