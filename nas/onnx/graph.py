"""An ONNX graph that grows node by node."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from nas.program.tensors import Shape, Signature
from nas.program.weights import IntegerWeights

OPSET, IR_VERSION = 17, 8
INPUT, OUTPUT = "input", "logits"

Attributes = Mapping[str, str | int | float | Sequence[int]]


class Graph:
    """Nodes and constants in the order in which they were added; each is known by the name of its
    result.
    """

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._weights: dict[int, list[tuple[NDArray[Any], str]]] = {}
        self._numbers: dict[tuple[type[np.generic], float, int | None], str] = {}
        self._names = {INPUT, OUTPUT}

    def node(
        self, kind: str, inputs: Sequence[str], name: str, attributes: Attributes | None = None
    ) -> str:
        """Adds an operator, and returns the name of its result: `name`, with a number if that is
        taken.
        """
        name = self._fresh(name or kind.lower())
        node = helper.make_node(kind, inputs, [name], name)
        node.attribute.extend(
            helper.make_attribute(key, value) for key, value in (attributes or {}).items()
        )
        self._nodes.append(node)
        return name

    def constant(self, values: NDArray[Any], name: str) -> str:
        """Adds a constant tensor, and returns its name."""
        name = self._fresh(name)
        self._constants[name] = numpy_helper.from_array(values, name)
        return name

    def weights(self, weights: IntegerWeights, values: NDArray[Any], name: str) -> str:
        """The name of a constant with `values`, made of the weights of a layer: one that another layer
        with the same weights has stored, if there is such a one.
        """
        stored = self._weights.setdefault(id(weights), [])
        for known, constant in stored:
            if known.dtype == values.dtype and np.array_equal(known, values):
                return constant
        stored.append((values, self.constant(values, name)))
        return stored[-1][1]

    def number(
        self, value: float, dtype: type[np.generic] = np.float32, count: int | None = None
    ) -> str:
        """The name of a constant, which is stored once for all uses: a scalar, or a vector of
        `count` times the same value.
        """
        key = dtype, value, count
        if key not in self._numbers:
            shape = () if count is None else (count,)
            self._numbers[key] = self.constant(np.full(shape, value, dtype), f"{value:.4g}")
        return self._numbers[key]

    def real(self, integers: str, name: str, scale: float, zero: int) -> str:
        """The real numbers that unsigned 8-bit integers stand for."""
        return self.node(
            "DequantizeLinear", [integers, self.number(scale), self.number(zero, np.uint8)], name
        )

    def integers(
        self, real: str, name: str, scale: float, zero: int, limits: tuple[int, int]
    ) -> str:
        """The nearest unsigned 8-bit integers inside the limits, both included."""
        rounded = [real, self.number(scale), self.number(zero, np.uint8)]
        if limits == (0, 255):
            return self.node("QuantizeLinear", rounded, name)
        return self.clamp(self.node("QuantizeLinear", rounded, f"{name}.wide"), name, limits)

    def clamp(self, integers: str, name: str, limits: tuple[int, int]) -> str:
        """Unsigned 8-bit integers clamped to the limits, both included."""
        return self.node(
            "Clip", [integers, *(self.number(limit, np.uint8) for limit in limits)], name
        )

    def model(self, result: str, name: str, shape: Shape, classes: int) -> ModelProto:
        """The checked model from float32 `INPUT` [N, …] to the tensor `result`, float32 [N, classes],
        which is renamed `OUTPUT`.
        """
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [OUTPUT if tensor == result else tensor for tensor in names]
        source = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", *shape])
        target = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", classes])
        graph = helper.make_graph(
            self._nodes, name, [source], [target], list(self._constants.values())
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        checker.check_model(model, full_check=True)
        return model

    def _fresh(self, name: str) -> str:
        found, count = name, 1
        while found in self._names:
            count += 1
            found = f"{name}.{count}"
        self._names.add(found)
        return found


Writer = Callable[[Graph, Any, Sequence[str], Signature], str]
"""Adds an operation of the integer program that reads the named integers, and returns the name of
its result's.
"""


def windows(
    kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> dict[str, Sequence[int]]:
    """The attributes of a pooling; a convolution has dilations and a group beside them."""
    return {"kernel_shape": tuple(kernel), "strides": tuple(stride), "pads": (*padding, *padding)}
