"""Functions of one element at a time: those of the integer program, and those of float networks."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from nas.onnx.exact import looked_up
from nas.onnx.float_call import FloatCall
from nas.onnx.graph import Attributes, Graph, Writer
from nas.onnx.layers import float_affine
from nas.onnx.per_channel import per_channel
from nas.program.operations import Lut, Operation, PRelu
from nas.program.tensors import Signature
from nas.quantize import FusedReLU, UnsupportedError
from nas.quantize.constants import ScalarAffine


def _lut(graph: Graph, lut: Lut, inputs: Sequence[str], _: Signature) -> str:
    return looked_up(graph, inputs[0], lut.table, lut.name)


def _prelu(graph: Graph, prelu: PRelu, inputs: Sequence[str], signature: Signature) -> str:
    source, scaling, count = signature.source, prelu.scaling, len(prelu.slopes)
    integers = np.arange(source.top + 1) - source.zero
    steps = integers.clip(min=0) * scaling.factors + np.outer(
        prelu.slope_factors, integers.clip(max=0)
    )
    rounded = np.floor(steps + 0.5) + signature.result.zero
    table = rounded.clip(scaling.low, scaling.high).astype(np.uint8)
    starts = (np.arange(count) * len(integers)).reshape(-1, *[1] * (len(source.shape) - 1))
    return looked_up(graph, inputs[0], table.ravel(), prelu.name, starts)


WRITERS: Mapping[type[Operation], Writer] = {Lut: _lut, PRelu: _prelu}


def float_function(graph: Graph, call: FloatCall) -> str:
    """Adds a function of a float network, and returns the name of its result.

    Raises:
        UnsupportedError: if the function has no plain ONNX form, or further arguments.
    """
    function = call.function
    if call.node.args[1:] or call.node.kwargs.keys() - {"inplace"}:
        raise UnsupportedError(
            f"{call.name!r} must have no further arguments, but has {call.arguments}"
        )
    kind = type(function) if isinstance(function, nn.Module) else function
    if kind in _PLAIN:
        operator, attributes = _PLAIN[kind]
        return graph.node(operator, call.inputs, call.name, attributes)
    if kind in _COMPOSED:
        return _COMPOSED[kind](graph, call)
    raise UnsupportedError(
        f"{call.name!r} must be a function with a plain ONNX form, but is {function}"
    )


_PLAIN: Mapping[object, tuple[str, Attributes]] = {
    **dict.fromkeys(
        (nn.ReLU, FusedReLU, torch.relu, torch.relu_, functional.relu, "relu", "relu_"),
        ("Relu", {}),
    ),
    nn.SELU: ("Selu", {}),
    nn.Softsign: ("Softsign", {}),
    **dict.fromkeys((nn.Sigmoid, torch.sigmoid, "sigmoid"), ("Sigmoid", {})),
    **dict.fromkeys((nn.Tanh, torch.tanh, "tanh"), ("Tanh", {})),
    **dict.fromkeys((nn.Hardswish, functional.hardswish), ("HardSwish", {})),
    **dict.fromkeys((nn.Hardsigmoid, functional.hardsigmoid), ("HardSigmoid", {"alpha": 1 / 6})),
}


def _leaky_relu(graph: Graph, call: FloatCall) -> str:
    attributes = {"alpha": call.function.negative_slope}
    return graph.node("LeakyRelu", call.inputs, call.name, attributes)


def _elu(graph: Graph, call: FloatCall) -> str:
    return graph.node("Elu", call.inputs, call.name, {"alpha": call.function.alpha})


def _celu(graph: Graph, call: FloatCall) -> str:
    return graph.node("Celu", call.inputs, call.name, {"alpha": call.function.alpha})


def _softplus(graph: Graph, call: FloatCall) -> str:
    beta, name = call.function.beta, call.name
    if beta == 1:
        return graph.node("Softplus", call.inputs, name)
    wide = graph.node("Mul", [*call.inputs, graph.number(beta)], f"{name}.wide")
    soft = graph.node("Softplus", [wide], f"{name}.soft")
    return graph.node("Div", [soft, graph.number(beta)], name)


def _log_sigmoid(graph: Graph, call: FloatCall) -> str:
    negative = graph.node("Neg", call.inputs, f"{call.name}.negative")
    soft = graph.node("Softplus", [negative], f"{call.name}.soft")
    return graph.node("Neg", [soft], call.name)


def _mish(graph: Graph, call: FloatCall) -> str:
    soft = graph.node("Softplus", call.inputs, f"{call.name}.soft")
    gate = graph.node("Tanh", [soft], f"{call.name}.gate")
    return graph.node("Mul", [*call.inputs, gate], call.name)


def _relu6(graph: Graph, call: FloatCall) -> str:
    limits = [graph.number(0.0), graph.number(6.0)]
    return graph.node("Clip", [*call.inputs, *limits], call.name)


def _hardtanh(graph: Graph, call: FloatCall) -> str:
    limits = [graph.number(call.function.min_val), graph.number(call.function.max_val)]
    return graph.node("Clip", [*call.inputs, *limits], call.name)


def _silu(graph: Graph, call: FloatCall) -> str:
    gate = graph.node("Sigmoid", call.inputs, f"{call.name}.gate")
    return graph.node("Mul", [*call.inputs, gate], call.name)


def _gelu(graph: Graph, call: FloatCall) -> str:
    name = call.name
    if isinstance(call.function, nn.GELU) and call.function.approximate != "none":
        raise UnsupportedError(
            f"{name!r} must be a function with a plain ONNX form, but is {call.function}"
        )
    ratio = graph.node("Div", [*call.inputs, graph.number(math.sqrt(2))], f"{name}.ratio")
    error = graph.node("Erf", [ratio], f"{name}.erf")
    gate = graph.node("Add", [error, graph.number(1.0)], f"{name}.gate")
    double = graph.node("Mul", [*call.inputs, gate], f"{name}.double")
    return graph.node("Mul", [double, graph.number(0.5)], name)


def _float_prelu(graph: Graph, call: FloatCall) -> str:
    slopes = call.function.weight.detach().double().numpy()
    stored = graph.constant(per_channel(slopes, len(call.shape) - 1), f"{call.name}.slope")
    return graph.node("PRelu", [*call.inputs, stored], call.name)


_COMPOSED: Mapping[object, Callable[[Graph, FloatCall], str]] = {
    nn.LeakyReLU: _leaky_relu,
    nn.ELU: _elu,
    ScalarAffine: float_affine,
    nn.CELU: _celu,
    nn.Softplus: _softplus,
    nn.LogSigmoid: _log_sigmoid,
    **dict.fromkeys((nn.Mish, functional.mish), _mish),
    nn.PReLU: _float_prelu,
    **dict.fromkeys((nn.ReLU6, functional.relu6), _relu6),
    nn.Hardtanh: _hardtanh,
    **dict.fromkeys((nn.SiLU, functional.silu), _silu),
    **dict.fromkeys((nn.GELU, functional.gelu), _gelu),
}
