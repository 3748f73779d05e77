"""Functions of one element at a time: those of the integer program, and those of float networks."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from onnx import TensorProto
from torch import nn
from torch.nn import functional

from nas.onnx.graph import Attributes, Graph, Writer
from nas.program.operations import Lut, Operation
from nas.program.tensors import Signature
from nas.quantize import FusedReLU, UnsupportedError


def _lut(graph: Graph, lut: Lut, inputs: Sequence[str], _: Signature) -> str:
    index = graph.node("Cast", inputs, f"{lut.name}.index", {"to": TensorProto.INT32})
    return graph.node("Gather", [graph.constant(lut.table, f"{lut.name}.table"), index], lut.name)


WRITERS: Mapping[type[Operation], Writer] = {Lut: _lut}


def float_function(graph: Graph, function: object, value: str, name: str) -> str:
    """Adds a function of a float network, a module or what is called, and returns the name of its
    result.

    Raises:
        UnsupportedError: if the function has no plain ONNX form.
    """
    kind = type(function) if isinstance(function, nn.Module) else function
    if kind in _PLAIN:
        operator, attributes = _PLAIN[kind]
        return graph.node(operator, [value], name, attributes)
    if kind in _COMPOSED:
        return _COMPOSED[kind](graph, function, value, name)
    raise UnsupportedError(f"{name!r} must be a function with a plain ONNX form, but is {function}")


_PLAIN: Mapping[object, tuple[str, Attributes]] = {
    **dict.fromkeys((nn.ReLU, FusedReLU, torch.relu, functional.relu, "relu"), ("Relu", {})),
    **dict.fromkeys((nn.Sigmoid, torch.sigmoid, "sigmoid"), ("Sigmoid", {})),
    **dict.fromkeys((nn.Tanh, torch.tanh, "tanh"), ("Tanh", {})),
    **dict.fromkeys((nn.Hardswish, functional.hardswish), ("HardSwish", {})),
    **dict.fromkeys((nn.Hardsigmoid, functional.hardsigmoid), ("HardSigmoid", {"alpha": 1 / 6})),
}


def _leaky_relu(graph: Graph, module: Any, value: str, name: str) -> str:
    return graph.node("LeakyRelu", [value], name, {"alpha": module.negative_slope})


def _elu(graph: Graph, module: Any, value: str, name: str) -> str:
    return graph.node("Elu", [value], name, {"alpha": module.alpha})


def _relu6(graph: Graph, _: Any, value: str, name: str) -> str:
    return graph.node("Clip", [value, graph.number(0.0), graph.number(6.0)], name)


def _hardtanh(graph: Graph, module: Any, value: str, name: str) -> str:
    limits = [graph.number(module.min_val), graph.number(module.max_val)]
    return graph.node("Clip", [value, *limits], name)


def _silu(graph: Graph, _: Any, value: str, name: str) -> str:
    return graph.node("Mul", [value, graph.node("Sigmoid", [value], f"{name}.gate")], name)


def _gelu(graph: Graph, function: Any, value: str, name: str) -> str:
    if isinstance(function, nn.GELU) and function.approximate != "none":
        raise UnsupportedError(
            f"{name!r} must be a function with a plain ONNX form, but is {function}"
        )
    ratio = graph.node("Div", [value, graph.number(math.sqrt(2))], f"{name}.ratio")
    error = graph.node("Erf", [ratio], f"{name}.erf")
    gate = graph.node("Add", [error, graph.number(1.0)], f"{name}.gate")
    double = graph.node("Mul", [value, gate], f"{name}.double")
    return graph.node("Mul", [double, graph.number(0.5)], name)


_COMPOSED: Mapping[object, Callable[[Graph, Any, str, str], str]] = {
    nn.LeakyReLU: _leaky_relu,
    nn.ELU: _elu,
    **dict.fromkeys((nn.ReLU6, functional.relu6), _relu6),
    nn.Hardtanh: _hardtanh,
    **dict.fromkeys((nn.SiLU, functional.silu), _silu),
    **dict.fromkeys((nn.GELU, functional.gelu), _gelu),
}
