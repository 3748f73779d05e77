"""From a trained network to its integer program."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.nn import functional

from nas.layers import WeightLayer
from nas.lowering.scalings import integers, kept, scaling, snap
from nas.program.dead_channels import without_dead_channels
from nas.program.operations import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Flatten,
    Gather,
    Linear,
    Lut,
    MaxPool,
    Mul,
    Operation,
    Shape,
    TensorType,
    Upsample,
)
from nas.program.program import Program
from nas.program.shapes import result_shape
from nas.quantize import (
    ActivationQuantizer,
    Role,
    Select,
    UnsupportedError,
    calibrate,
    insert_quantizers,
    integer_layer,
    role,
)
from nas.quantize.calibrate import RangeEstimator, minmax


def lower(
    model: nn.Module, calibration: Tensor, method: RangeEstimator = minmax, keep_dead: bool = False
) -> Program:
    """The integer program of a trained network.

    Where the network was trained with quantizers, the program computes what it computes. Where not,
    its weights are rounded to 8 bits and its tensors to ranges from what flows through it on
    `calibration`, a batch of inputs. Channels that are dead, whatever the input, are left out,
    unless the program must not depend on what the weights are (`keep_dead`).

    Raises:
        UnsupportedError: if torch.fx cannot trace the network, or an operation has no integer form.
        ProgramError: if an operation does not fit its tensors.
    """
    if not any(isinstance(module, ActivationQuantizer) for module in model.modules()):
        model = insert_quantizers(copy.deepcopy(model).eval(), 8)
        calibrate(model, calibration, method)
    program = _lowered(model, tuple(calibration.shape[1:]), settling=False)
    return program if keep_dead else without_dead_channels(program)


def snapped(model: nn.Module, example: Tensor) -> nn.Module:
    """`model`, moved in place to the nearest network that a program is the exact meaning of;
    `example` is [N, …].

    Multipliers have 16 bits and biases are whole numbers, so values move by small parts of a step.
    But a network and a program that round at different places drift apart layer after layer. A
    network without quantizers is left as it is: its program is an approximation anyway.
    """
    if any(isinstance(module, ActivationQuantizer) for module in model.modules()):
        _lowered(model, tuple(example.shape[1:]), settling=True)
    return model


def _lowered(model: nn.Module, shape: Shape, settling: bool) -> Program:
    assert isinstance(model, fx.GraphModule)
    lowering = _Lowering(model.eval(), shape, settling)
    with torch.no_grad():
        for node in model.graph.nodes:
            lowering.visit(node)
    return Program(tuple(lowering.tensors), tuple(lowering.operations))


class _Lowering:
    """The program so far, and which of its tensors each node of the network gave."""

    def __init__(self, model: fx.GraphModule, shape: Shape, settling: bool) -> None:
        self.model = model
        self.settling = settling
        self.shape = shape
        self.tensors: list[TensorType] = []
        self.operations: list[Operation] = []
        self.index: dict[fx.Node, int] = {}

    def visit(self, node: fx.Node) -> None:
        if node.op == "call_module" and isinstance(
            module := self._module(node), ActivationQuantizer
        ):
            scale, zero = module.levels()
            self.index[node] = self._result(node.all_input_nodes[0], scale, zero, module.bits)
        elif role(node, self.model) is Role.KEEP:
            self.index[node] = self._keep(node)

    def _module(self, node: fx.Node) -> nn.Module:
        return self.model.get_submodule(str(node.target))

    def _append(self, operation: Operation, scale: float, zero: int, bits: int) -> int:
        shape = result_shape(operation, [self.tensors[source].shape for source in operation.inputs])
        self.operations.append(operation)
        self.tensors.append(TensorType(shape, scale, zero, bits))
        return len(self.operations)

    def _source(self, value: Any) -> int:
        if not isinstance(value, fx.Node) or value not in self.index:
            raise UnsupportedError(
                f"an operation must read tensors that the network computes, but got {value!r}; use a module for constants"
            )
        return self.index[value]

    def _result(self, end: fx.Node, scale: float, zero: int, bits: int) -> int:
        """The tensor behind a group of fused operations that ends in `end`."""
        if end.op == "placeholder":
            self.tensors.append(TensorType(self.shape, scale, zero, bits))
            return 0
        base, norm, clamps = end, None, list[fx.Node]()
        while (
            role(base, self.model) in (Role.CLAMP, Role.NORM)
            and base.all_input_nodes[0] not in self.index
        ):
            if role(base, self.model) is Role.NORM:
                norm = self._module(base)
            else:
                clamps.append(base)
            base = base.all_input_nodes[0]
        low, high = self._clamp(clamps, scale, zero, 2**bits - 1)
        result = TensorType((1,), scale, zero, bits)
        return self._append(self._operation(base, norm, result, low, high), scale, zero, bits)

    def _clamp(
        self, clamps: Sequence[fx.Node], scale: float, zero: int, top: int
    ) -> tuple[int, int]:
        low, high = 0, top
        for node in clamps:
            low = max(low, zero)
            if node.target is functional.relu6 or (
                node.op == "call_module" and isinstance(self._module(node), nn.ReLU6)
            ):
                high = min(high, zero + round(6.0 / scale))
        return low, high

    def _operation(
        self, node: fx.Node, norm: nn.Module | None, result: TensorType, low: int, high: int
    ) -> Operation:
        found, name = (
            role(node, self.model),
            str(node.target) if node.op == "call_module" else node.name,
        )
        if found is Role.LAYER:
            assert norm is None or isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d))
            return self._layer(node, name, norm, result, low, high)
        if found in (Role.SUM, Role.CONCAT, Role.PRODUCT):
            return self._joined(node, name, found, result, low, high)
        source = self._source(node.args[0])
        tensor = self.tensors[source]
        if found is Role.MEAN:
            kernel, stride, padding = _mean_windows(node, self.model, tensor.shape)
            factor = tensor.scale / (result.scale * kernel[0] * kernel[1])
            return AvgPool(
                name, (source,), kernel, stride, padding, scaling(np.array([factor]), low, high)
            )
        return Lut(name, (source,), self._table(node, tensor, result))

    def _layer(
        self,
        node: fx.Node,
        name: str,
        norm: nn.BatchNorm1d | nn.BatchNorm2d | None,
        result: TensorType,
        low: int,
        high: int,
    ) -> Operation:
        layer, source = self._module(node), self._source(node.args[0])
        assert isinstance(layer, WeightLayer)
        # A layer that is called again has other ranges there, for which it cannot be snapped as
        # well.
        if self.settling and all(operation.name != name for operation in self.operations):
            snap(layer, norm, self.tensors[source], result)
        weights, bits, biases, scales, zeros = integers(
            layer, norm, self.tensors[source], result, low, high
        )
        others: Any = {
            "kept": kept(layer),
            "entries": integer_layer(layer).entries,
            "zero_points": zeros,
        }
        if isinstance(layer, nn.Linear):
            return Linear(name, (source,), weights, bits, biases, scales, **others)
        if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            raise UnsupportedError(
                f"{name!r} must pad with a number of zeros, but has {layer.padding_mode!r}, {layer.padding!r}"
            )
        stride, padding, dilation = _pair(layer.stride), _pair(layer.padding), _pair(layer.dilation)
        return Conv(
            name,
            (source,),
            weights,
            bits,
            biases,
            scales,
            stride,
            padding,
            dilation,
            layer.groups,
            **others,
        )

    def _joined(
        self, node: fx.Node, name: str, found: Role, result: TensorType, low: int, high: int
    ) -> Operation:
        values: Any = node.args[0] if found is Role.CONCAT else node.args
        if (
            found is Role.CONCAT
            and (node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)) != 1
        ):
            raise UnsupportedError(
                f"{name!r} must join channels, dim=1, but got {node.args[1:]}, {dict(node.kwargs)}"
            )
        if found is not Role.CONCAT and node.kwargs:
            raise UnsupportedError(
                f"{name!r} must have no further arguments, but got {dict(node.kwargs)}"
            )
        sources = tuple(self._source(value) for value in values)
        scales = np.array([self.tensors[source].scale for source in sources])
        if found is Role.SUM:
            return Add(name, sources, scaling(scales / result.scale, low, high))
        if found is Role.CONCAT:
            return Concat(name, sources, scaling(scales / result.scale, low, high))
        larger_first = tuple(sorted(sources, key=lambda source: -self.tensors[source].size))
        return Mul(name, larger_first, scaling(np.array([scales.prod() / result.scale]), low, high))

    def _table(self, node: fx.Node, source: TensorType, result: TensorType) -> NDArray[np.uint8]:
        values = (torch.arange(source.top + 1) - source.zero) * source.scale
        # The function as the network calls it, on every value that its input can have.
        single = fx.Graph()
        copied = single.node_copy(node, lambda _: single.placeholder("x"))
        single.output(copied)
        outputs = fx.GraphModule(self.model, single)(values)
        table: NDArray[np.uint8] = (
            (outputs / result.scale)
            .round()
            .add(result.zero)
            .clamp(0, result.top)
            .to(torch.uint8)
            .numpy()
        )
        return table

    def _keep(self, node: fx.Node) -> int:
        source = self._source(node.args[0])
        tensor = self.tensors[source]
        operation = _kept(node, self.model, source, tensor.shape)
        return (
            source
            if operation is None
            else self._append(operation, tensor.scale, tensor.zero, tensor.bits)
        )


def _pair(value: Any) -> tuple[int, int]:
    first, second = value if isinstance(value, (tuple, list)) else (value, value)
    return int(first), int(second)


def _kept(node: fx.Node, model: nn.Module, source: int, shape: Shape) -> Operation | None:
    """The operation of a node that changes no integer; None where it does nothing at all."""
    module = model.get_submodule(str(node.target)) if node.op == "call_module" else None
    name = str(node.target) if module is not None else node.name
    if isinstance(module, nn.MaxPool2d):
        if module.ceil_mode or _pair(module.dilation) != (1, 1):
            raise UnsupportedError(
                f"{name!r} must pool without ceil_mode and dilation, but is {module}"
            )
        return MaxPool(
            name, (source,), _pair(module.kernel_size), _pair(module.stride), _pair(module.padding)
        )
    if isinstance(module, Select):
        return Gather(name, (source,), module.indices.numpy().astype(np.int32))
    if isinstance(module, nn.UpsamplingNearest2d):
        given = _maybe_pair(module.scale_factor)
        if None in given or (factor := _pair(given))[0] != factor[1] or factor != given:
            raise UnsupportedError(
                f"{name!r} must enlarge by a whole scale_factor, but is {module}"
            )
        return Upsample(name, (source,), factor[0])
    if module is None or isinstance(module, nn.Flatten):
        start = (
            module.start_dim
            if module is not None
            else (*node.args, 0)[1]
            if len(node.args) > 1
            else node.kwargs.get("start_dim", 0)
        )
        if start != 1:
            raise UnsupportedError(f"{name!r} must flatten from dimension 1, but from {start}")
        return Flatten(name, (source,)) if len(shape) == 3 else None
    return None


def _mean_windows(
    node: fx.Node, model: nn.Module, shape: Shape
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Kernel, stride and padding of an average pooling."""
    module = model.get_submodule(str(node.target)) if node.op == "call_module" else None
    name = str(node.target) if module is not None else node.name
    if len(shape) != 3:
        raise UnsupportedError(f"{name!r} must pool images [C, H, W], but its input is {shape}")
    if isinstance(module, nn.AvgPool2d):
        padding = _pair(module.padding)
        if (
            module.ceil_mode
            or module.divisor_override
            or (padding != (0, 0) and not module.count_include_pad)
        ):
            raise UnsupportedError(
                f"{name!r} must average whole windows, padding included, but is {module}"
            )
        return _pair(module.kernel_size), _pair(module.stride), padding
    size = (
        module.output_size
        if isinstance(module, nn.AdaptiveAvgPool2d)
        else node.args[1]
        if len(node.args) > 1
        else None
    )
    if node.target is functional.avg_pool2d or size is None or None in (pair := _maybe_pair(size)):
        raise UnsupportedError(
            f"{name!r} must pool to a given size; use nn.AdaptiveAvgPool2d or nn.AvgPool2d"
        )
    if shape[1] % pair[0] or shape[2] % pair[1]:
        raise UnsupportedError(
            f"{name!r} must pool windows of one size, but {shape[1:]} is no multiple of {pair}"
        )
    kernel = shape[1] // pair[0], shape[2] // pair[1]
    return kernel, kernel, (0, 0)


def _maybe_pair(value: Any) -> tuple[Any, Any]:
    first, second = value if isinstance(value, (tuple, list)) else (value, value)
    return first, second
