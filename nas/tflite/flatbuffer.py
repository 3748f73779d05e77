"""A TensorFlow Lite model as the bytes of a flatbuffer, by the published schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

SCHEMA_VERSION = 3
IDENTIFIER = b"TFL3"
ALIGNMENT = 16
"""Runtimes read weights where they lie in the file."""

TYPES: Mapping[np.dtype[Any], int] = {
    np.dtype(np.int8): tflite.TensorType.INT8,
    np.dtype(np.int32): tflite.TensorType.INT32,
    np.dtype(np.float32): tflite.TensorType.FLOAT32,
}


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the model, batch and channels included; `data` is None unless it is a constant.

    Integers q stand for `scales` · (q - `zero`): one scale for all, or one for each entry of the
    dimension `axis`. Without scales they are numbers.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scales: NDArray[np.float32] | None = None
    zero: int = 0
    axis: int = 0
    data: NDArray[Any] | None = None


@dataclass(frozen=True)
class Operator:
    """An operator of the model: the name of its kind in the schema, the indices of what it reads and
    writes, and the fields of its `options`, a table of the schema ("" for none).
    """

    kind: str
    inputs: Sequence[int]
    output: int
    options: str
    fields: Mapping[str, int | bool] = field(default_factory=dict)


def serialized(
    tensors: Sequence[Tensor],
    operators: Sequence[Operator],
    inputs: Sequence[int],
    outputs: Sequence[int],
    description: str,
    metadata: Mapping[str, bytes],
) -> bytes:
    """The bytes of a model of one graph."""
    builder = flatbuffers.Builder(1024)
    kinds = sorted({operator.kind for operator in operators})
    # The first buffer is that of tensors without data.
    data = [b"", *(t.data.tobytes() for t in tensors if t.data is not None), *metadata.values()]
    places = iter(range(1, len(data)))
    found = [_tensor(builder, t, 0 if t.data is None else next(places)) for t in tensors]
    steps = [_operator(builder, each, kinds.index(each.kind)) for each in operators]
    parts = {
        "Tensors": _tables(builder, found),
        "Inputs": _ints(builder, inputs),
        "Outputs": _ints(builder, outputs),
        "Operators": _tables(builder, steps),
        "Name": builder.CreateString("program"),
    }
    graph = _table(builder, "SubGraph", parts)
    named = [
        _table(builder, "Metadata", {"Name": builder.CreateString(name), "Buffer": place})
        for name, place in zip(metadata, places, strict=True)
    ]
    model = {
        "Version": SCHEMA_VERSION,
        "OperatorCodes": _tables(builder, [_code(builder, kind) for kind in kinds]),
        "Subgraphs": _tables(builder, [graph]),
        "Description": builder.CreateString(description),
        "Buffers": _tables(builder, [_buffer(builder, each) for each in data]),
        "Metadata": _tables(builder, named),
    }
    builder.Finish(_table(builder, "Model", model), IDENTIFIER)
    return bytes(builder.Output())


def _table(builder: Any, kind: str, fields: Mapping[str, Any]) -> int:
    """A table of the schema, whose fields are numbers or the places of what was written before."""
    getattr(tflite, f"{kind}Start")(builder)
    for name, value in fields.items():
        getattr(tflite, f"{kind}Add{name}")(builder, value)
    return int(getattr(tflite, f"{kind}End")(builder))


def _tables(builder: Any, places: Sequence[int]) -> int:
    builder.StartVector(4, len(places), 4)
    for place in reversed(places):
        builder.PrependUOffsetTRelative(place)
    return int(builder.EndVector())


def _ints(builder: Any, numbers: Sequence[int]) -> int:
    return int(builder.CreateNumpyVector(np.array(numbers, np.int32)))


def _tensor(builder: Any, tensor: Tensor, buffer: int) -> int:
    fields = {
        "Shape": _ints(builder, tensor.shape),
        "Type": TYPES[tensor.dtype],
        "Buffer": buffer,
        "Name": builder.CreateString(tensor.name),
    }
    if tensor.scales is not None:
        scales = tensor.scales
        parts = {
            "Scale": builder.CreateNumpyVector(scales),
            "ZeroPoint": builder.CreateNumpyVector(np.full(len(scales), tensor.zero, np.int64)),
            "QuantizedDimension": tensor.axis,
        }
        fields["Quantization"] = _table(builder, "QuantizationParameters", parts)
    return _table(builder, "Tensor", fields)


def _operator(builder: Any, operator: Operator, code: int) -> int:
    fields = {
        "OpcodeIndex": code,
        "Inputs": _ints(builder, operator.inputs),
        "Outputs": _ints(builder, [operator.output]),
    }
    if operator.options:
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, operator.options)
        fields["BuiltinOptions"] = _table(builder, operator.options, operator.fields)
    return _table(builder, "Operator", fields)


def _code(builder: Any, kind: str) -> int:
    code = getattr(tflite.BuiltinOperator, kind)
    # Codes above 127 have a field of their own; older readers know the first one only.
    deprecated = min(code, tflite.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
    fields = {"DeprecatedBuiltinCode": deprecated, "Version": 1, "BuiltinCode": code}
    return _table(builder, "OperatorCode", fields)


def _buffer(builder: Any, data: bytes) -> int:
    if not data:
        return _table(builder, "Buffer", {})
    builder.StartVector(1, len(data), ALIGNMENT)
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    return _table(builder, "Buffer", {"Data": builder.EndVector()})
