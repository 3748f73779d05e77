"""From a trained network to its integer program."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn

from nas.layers import WeightLayer
from nas.lowering.groups import Group, fused_group, group_of, module_of, quantizer_of
from nas.lowering.joins import add, concat, mul
from nas.lowering.layers import layer
from nas.lowering.margins import margin
from nas.lowering.moves import held_shape, move, rearranged
from nas.lowering.placeholders import placeholders
from nas.lowering.pointwise import function
from nas.lowering.pooling import mean
from nas.lowering.rescaled import channel_affine, rescaled, rescaled_by
from nas.program.dead_channels import without_dead_channels
from nas.program.operations import Flatten, Layer, Operation, Reshape
from nas.program.program import Program
from nas.program.tensors import Shape, Signature, TensorType
from nas.program.weights import IntegerWeights
from nas.quantize import (
    ActivationQuantizer,
    Role,
    UnsupportedError,
    calibrate,
    insert_quantizers,
    role,
)
from nas.quantize.calibrate import RangeEstimator, minmax
from nas.quantize.rearrangements import is_read, is_rearrangement, is_size, rearrangement
from nas.tracing import independent_copy

_Rule = Callable[[Group, tuple[int, ...], Signature], Operation]
_LOWERED: Mapping[Role, _Rule] = {
    Role.LAYER: layer,
    Role.NORM: rescaled,  # a normalization that follows no layer of its own
    Role.AFFINE: rescaled,
    Role.SUM: add,
    Role.PRODUCT: mul,
    Role.CONCAT: concat,
    Role.MEAN: mean,
    Role.UNARY: function,
    Role.CLAMP: function,  # a clamp that could not be fused
}
"""How a group becomes an operation, by the role of its node: from the tensors that it reads and its
signature, in which the result has the shape [1] until the operation determines it. Nodes of
Role.KEEP, which have no quantizer behind them, become a `move`.
"""


def lower(model: nn.Module, calibration: Tensor, method: RangeEstimator = minmax) -> Program:
    """The integer program of a trained network, without dead channels.

    The program of a network trained with quantizers computes what the network does. Any other
    network is quantized first: weights to 8 bits, and tensors to 8 bits in the ranges that `method`
    finds on `calibration`, a batch of inputs. A channel is dead if it is at its zero point for
    every input.

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
        ProgramError: if an operation does not fit its tensors.
    """
    return without_dead_channels(lower_all_channels(model, calibration, method))


def lower_all_channels(
    model: nn.Module, calibration: Tensor, method: RangeEstimator = minmax
) -> Program:
    """The integer program of a network with its dead channels, so that shapes do not depend on the
    values of weights; otherwise as `lower` returns it.

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
        ProgramError: if an operation does not fit its tensors.
    """
    return _lowered(model, calibration, method, _LOWERED)


def lower_shapes(model: nn.Module, calibration: Tensor) -> Program:
    """The program of `lower_all_channels` with weights of 1, which costs the same and computes nothing of
    use: to count it before training, in half of the time.

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
        ProgramError: if an operation does not fit its tensors.
    """
    shapes = partial(layer, made=placeholders)
    return _lowered(model, calibration, minmax, {**_LOWERED, Role.LAYER: shapes})


def _lowered(
    model: nn.Module, calibration: Tensor, method: RangeEstimator, rules: Mapping[Role, _Rule]
) -> Program:
    if not any(isinstance(module, ActivationQuantizer) for module in model.modules()):
        model = insert_quantizers(independent_copy(model).eval(), 8, example=calibration)
        calibrate(model, calibration, method)
    traced = model.eval() if any(module.training for module in model.modules()) else model
    assert isinstance(traced, fx.GraphModule)
    called = [module_of(node, traced) for node in traced.graph.nodes]
    layers = [module for module in called if isinstance(module, WeightLayer)]
    if len(set(layers)) < len(layers):
        rules = _LOWERED  # whether the calls share their weights follows from values
    lowering = _Lowering(traced, tuple(calibration.shape[1:]), rules)
    with torch.no_grad():
        for node in traced.graph.nodes:
            lowering.visit(node)
    return Program(tuple(lowering.tensors), tuple(lowering.operations))


class _Lowering:
    """The program so far, and the index of the tensor that each node gives."""

    def __init__(self, traced: fx.GraphModule, shape: Shape, rules: Mapping[Role, _Rule]) -> None:
        self.traced, self.rules = traced, rules
        self.shape = shape
        self.tensors: list[TensorType] = []
        self.operations: list[Operation] = []
        self.index: dict[fx.Node, int] = {}
        # Of a layer that is called again, its weights are those of the first call. Behind another
        # normalization, gains may have other signs.
        self.weights: dict[tuple[nn.Module | None, nn.Module | None], IntegerWeights] = {}
        # Tensors that are signals in the network, and images of one row in the program.
        self.signals = set[int]()

    def visit(self, node: fx.Node) -> None:
        if (quantizer := quantizer_of(node, self.traced)) is not None:
            self.index[node] = self._quantized(node.all_input_nodes[0], quantizer)
        elif is_rearrangement(node, self.traced):
            # Those that others alone read, such as the first of two views, become one with them.
            if not is_size(node) and is_read(node, self.traced):
                self.index[node] = self._rearranged(node)
        elif role(node, self.traced) is Role.KEEP:
            self.index[node] = self._moved(node)

    def _quantized(self, end: fx.Node, quantizer: ActivationQuantizer) -> int:
        """The index of the tensor behind the group that ends in a node."""
        result = TensorType((1,), *quantizer.levels(), quantizer.bits)
        if end.op == "placeholder":
            self.tensors.append(replace(result, shape=self.shape))
            if len(self.shape) != 2:
                return 0
            row = self._append(Reshape(f"{end.name}.row", (0,), held_shape(self.shape)), result)
            self.signals.add(row)
            return row
        group = fused_group(end, self.traced)
        found = role(group.node, self.traced)
        assert found is not None
        inputs = tuple(self._source(value) for value in _arguments(group.node, found))
        group = replace(group, signals=inputs[0] in self.signals)
        if found in (Role.NORM, Role.AFFINE) and len(self.tensors[inputs[0]].shape) == 1:
            return self._rescaled_features(group, inputs[0], result)
        if (padding := margin(group, inputs)) is not None:
            inputs = (self._append(padding, self.tensors[inputs[0]]),)
        signature = Signature([self.tensors[source] for source in inputs], result)
        operation = self.rules[found](group, inputs, signature)
        if isinstance(operation, Layer) and found is Role.LAYER:
            weights = self.weights.setdefault((group.module, group.norm), operation.weights)
            if weights is not operation.weights and weights.equals(operation.weights):
                operation = replace(operation, weights=weights)
        return self._append(operation, result)

    def _rescaled_features(self, group: Group, source: int, result: TensorType) -> int:
        """The index of a vector whose features are rescaled: a convolution of images of one pixel."""
        features = self.tensors[source]
        image = Reshape(f"{group.name}.image", (source,), (*features.shape, 1, 1))
        inputs = (self._append(image, features),)
        signature = Signature([self.tensors[inputs[0]]], result)
        found = channel_affine(group.module, group.name, features.shape)
        done = self._append(rescaled_by(found, group, inputs, signature), result)
        return self._append(Flatten(f"{group.name}.features", (done,)), result)

    def _rearranged(self, node: fx.Node) -> int:
        """The index of the tensor that rearrangements up to a node make."""
        found = rearrangement(node, self.traced, self._shape_of)
        name, last = group_of(node, self.traced).name, self.index[found.source]
        for operation in rearranged(name, found.steps):
            last = self._append(replace(operation, inputs=(last,)), self.tensors[last])
        if len(found.shape) == 2:
            self.signals.add(last)
        return last

    def _shape_of(self, node: fx.Node) -> Shape | None:
        """The shape that a tensor has in the network."""
        if node not in self.index:
            return None
        shape = self.tensors[self.index[node]].shape
        return (shape[0], shape[2]) if self.index[node] in self.signals else shape

    def _moved(self, node: fx.Node) -> int:
        source = self._source(node.args[0])
        group = replace(group_of(node, self.traced), signals=source in self.signals)
        operation = move(group, (source,), self.tensors[source])
        return source if operation is None else self._append(operation, self.tensors[source])

    def _source(self, value: Any) -> int:
        if not isinstance(value, fx.Node) or value not in self.index:
            raise UnsupportedError(
                f"an operation must read tensors that the network computes, but got {value!r}; use a module for constants"
            )
        return self.index[value]

    def _append(self, operation: Operation, result: TensorType) -> int:
        sources = [self.tensors[source].shape for source in operation.inputs]
        self.tensors.append(replace(result, shape=operation.result_shape(sources)))
        self.operations.append(operation)
        if operation.inputs[0] in self.signals and not isinstance(operation, (Flatten, Reshape)):
            self.signals.add(len(self.operations))
        return len(self.operations)


def _arguments(node: fx.Node, found: Role) -> Any:
    """The arguments of a node that must be tensors."""
    if found is Role.CONCAT:
        return node.args[0]
    return node.args if found in (Role.SUM, Role.PRODUCT) else node.args[:1]
