"""A network as the list of operations that a device would run, with what each computes and moves."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

FLOAT_BYTES = 4


@runtime_checkable
class Stored(Protocol):
    """A layer that is stored otherwise than as 32-bit floats, and reads activations of one byte."""

    def stored_bits(self) -> Mapping[str, int]:
        """The exact number of bits for each purpose: weights, scales, biases, indices, ranges."""
        ...


@dataclass(frozen=True)
class Operation:
    """One step of the network on one sample.

    `macs` counts multiply-accumulates, `stored` the bytes of its weights by purpose, `output_bytes` those of its result.
    `inputs` are the operations that it reads, where -1 is the network's own input. An operation `in_place` may write
    over an input that nothing reads later. The name is that of a module; of a function it ends in brackets.
    """

    name: str
    macs: int
    stored: Mapping[str, int]
    output_bytes: int
    inputs: tuple[int, ...]
    in_place: bool

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that the operation reads."""
        return sum(self.stored.values())


_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_IN_PLACE_MODULES = (
    *(*_NORMS, nn.Identity, nn.Dropout, nn.Flatten),
    *(nn.ReLU, nn.ReLU6, nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid, nn.SiLU, nn.GELU, nn.Tanh, nn.LeakyReLU),
)
_IN_PLACE_FUNCTIONS: frozenset[object] = frozenset(
    (
        *(operator.add, operator.iadd, operator.mul, operator.imul, torch.add, torch.mul, "add", "mul"),
        *(torch.relu, functional.relu, functional.relu6, functional.hardswish, torch.sigmoid, torch.tanh, "relu"),
        *(torch.flatten, torch.reshape, "flatten", "view", "reshape"),
    )
)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Stored) or super().is_leaf_module(m, module_qualified_name)


class _Recorder(fx.Interpreter):
    """Runs a traced network once and writes down each operation."""

    def __init__(self, module: fx.GraphModule, activation_bytes: int, counter: FlopCounterMode) -> None:
        super().__init__(module)
        self.counter = counter
        self.activation_bytes = activation_bytes
        self.operations: list[Operation] = []
        self.index: dict[fx.Node, int] = {}

    def run_node(self, n: fx.Node) -> Any:
        if n.op in ("placeholder", "output", "get_attr"):
            result = super().run_node(n)
            if n.op == "placeholder":
                self.index[n] = -1
            return result
        before = self.counter.get_total_flops()
        result = super().run_node(n)
        if not any(isinstance(part, Tensor) for part in (result if isinstance(result, (tuple, list)) else (result,))):
            return result  # arithmetic on shapes, which are known beforehand
        module = self.fetch_attr(str(n.target)) if n.op == "call_module" else None
        self.index[n] = len(self.operations)
        self.operations.append(
            Operation(
                name=str(n.target) if module is not None else f"{n.name}()",
                macs=(self.counter.get_total_flops() - before) // 2,
                stored={} if module is None else self._stored(n, module),
                output_bytes=result.numel() * self.activation_bytes if isinstance(result, Tensor) else 0,
                inputs=tuple(dict.fromkeys(self.index[node] for node in n.all_input_nodes if node in self.index)),
                in_place=isinstance(module, _IN_PLACE_MODULES) if module is not None else n.target in _IN_PLACE_FUNCTIONS,
            )
        )
        return result

    def _stored(self, node: fx.Node, module: nn.Module) -> dict[str, int]:
        if isinstance(module, _NORMS) and (layer := self._folds_into(node)) is not None:
            return {} if isinstance(layer, Stored) or layer.bias is not None else {"bias": module.num_features * FLOAT_BYTES}
        return stored_bytes(module)

    def _folds_into(self, node: fx.Node) -> nn.Conv2d | nn.Linear | None:
        """The layer whose weights take up a batch normalisation: the one before it, if nothing else reads or calls that."""
        before = node.all_input_nodes[0]
        layer = self.fetch_attr(str(before.target)) if before.op == "call_module" else None
        calls = sum(other.target == before.target for other in node.graph.nodes)
        return layer if isinstance(layer, (nn.Conv2d, nn.Linear)) and len(before.users) == calls == 1 else None


def stored_bytes(module: nn.Module) -> dict[str, int]:
    """The bytes that a module itself, without its children, puts into a file, by purpose.

    A batch normalisation becomes one scale and one shift for each channel.
    """
    if isinstance(module, Stored):
        return {purpose: (bits + 7) // 8 for purpose, bits in module.stored_bits().items()}
    if isinstance(module, _NORMS):
        return dict.fromkeys(("weight", "bias"), module.num_features * FLOAT_BYTES)
    tensors: list[tuple[str, Tensor]] = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return {name: tensor.numel() * FLOAT_BYTES for name, tensor in tensors}


def activation_bytes(model: nn.Module) -> int:
    """Bytes of one element of an activation: one where all weights but batch normalisation are `Stored`, otherwise four."""
    owners = [module for module in model.modules() if next(module.parameters(recurse=False), None) is not None]
    layers = [module for module in owners if not isinstance(module, _NORMS)]
    return 1 if layers and all(isinstance(module, Stored) for module in layers) else FLOAT_BYTES


def operations(model: nn.Module, example: Tensor) -> tuple[Operation, ...]:
    """The operations on one sample, in the order in which they run.

    Raises:
        ValueError: if torch.fx cannot trace the network.
    """
    model.eval()
    try:
        graph = _Tracer().trace(model)
    except (fx.proxy.TraceError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"a network must be traceable by torch.fx, without branches on values, but {type(model).__name__}: {error}"
        ) from error
    counter = FlopCounterMode(display=False)
    recorder = _Recorder(fx.GraphModule(model, graph), activation_bytes(model), counter)
    with torch.no_grad(), counter:
        recorder.run(example[:1])
    return tuple(recorder.operations)


def peak_memory(steps: Sequence[Operation], input_bytes: int) -> int:
    """The most bytes of activations that are alive at once when each is freed after its last reader."""
    last = {source: position for position, step in enumerate(steps) for source in step.inputs}
    last[len(steps) - 1] = len(steps)
    alive = {-1: input_bytes}
    peak = input_bytes
    for position, step in enumerate(steps):
        dying = [source for source in step.inputs if last[source] == position and source in alive]
        reused = next((s for s in dying if step.in_place and alive[s] >= step.output_bytes), None)
        if reused is not None:
            del alive[reused]
        alive[position] = step.output_bytes
        peak = max(peak, sum(alive.values()))
        alive = {source: size for source, size in alive.items() if last.get(source, -1) > position}
    return peak
