"""The nodes of a traced network that become one operation."""

from dataclasses import dataclass
from typing import Any

from torch import fx, nn
from torch.nn import functional

from nas.program.tensors import TensorType
from nas.quantize import ActivationQuantizer, Role, role
from nas.quantize.functional_forms import FUNCTIONS
from nas.tracing import called

Norm = nn.BatchNorm1d | nn.BatchNorm2d


@dataclass(frozen=True)
class Group:
    """A node, and the batch normalization and the clamps fused into its operation.

    `module` is what the node calls; None where it calls a function or a method. `clamps` are the
    upper limits of the clamps, infinity for a ReLU; all have the lower limit 0. The tensors of a group
    of signals [C, L] are images of one row, [C, 1, L], in the program.
    """

    node: fx.Node
    module: nn.Module | None
    norm: Norm | None = None
    clamps: tuple[float, ...] = ()
    signals: bool = False

    @property
    def name(self) -> str:
        """The name of the module, or of the node where there is none."""
        if self.module is None:
            return self.node.name
        return str(self.node.target).removeprefix(f"{FUNCTIONS}.")

    def argument(self, index: int, name: str, default: Any) -> Any:
        """A positional or keyword argument of the call."""
        if len(self.node.args) > index:
            return self.node.args[index]
        return self.node.kwargs.get(name, default)

    def limits(self, result: TensorType) -> tuple[int, int]:
        """The least and the largest integer that the clamps leave a result of this type."""
        low, high = 0, result.top
        for upper in self.clamps:
            low = max(low, result.zero)
            if upper < float("inf"):
                high = min(high, result.zero + round(upper / result.scale))
        return low, high


def group_of(node: fx.Node, traced: fx.GraphModule) -> Group:
    """The group of a node by itself."""
    return Group(node, module_of(node, traced))


def fused_group(end: fx.Node, traced: fx.GraphModule) -> Group:
    """The group whose last node, in front of a quantizer, is `end`."""
    node, norm, clamps = end, None, list[float]()
    while role(node, traced) in (Role.CLAMP, Role.NORM) and not _is_tensor(
        node.all_input_nodes[0], traced
    ):
        module = module_of(node, traced)
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            norm = module
        else:
            six = node.target is functional.relu6 or isinstance(module, nn.ReLU6)
            clamps.append(6.0 if six else float("inf"))
        node = node.all_input_nodes[0]
    return Group(node, module_of(node, traced), norm, tuple(clamps))


def _is_tensor(node: fx.Node, traced: fx.GraphModule) -> bool:
    """Whether a node gives a tensor of the program, not sums that are yet to be quantized."""
    return quantizer_of(node, traced) is not None or role(node, traced) is Role.KEEP


def quantizer_of(node: fx.Node, traced: fx.GraphModule) -> ActivationQuantizer | None:
    """The quantizer that a node calls; None where it calls something else."""
    module = module_of(node, traced)
    return module if isinstance(module, ActivationQuantizer) else None


def module_of(node: fx.Node, traced: fx.GraphModule) -> nn.Module | None:
    """The module that a node calls; None where it calls a function or a method."""
    return called(node, traced)


def plane(value: Any, module: nn.Module, across: int) -> tuple[Any, Any]:
    """A number for both directions of an image, or one for each; `across` rows for a module of
    signals.
    """
    if not isinstance(module, SIGNALS):
        return pair(value)
    (along,) = value if isinstance(value, (tuple, list)) else (value,)
    return across, along


SIGNALS = (
    *(nn.Conv1d, nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d),
    nn.ConstantPad1d,
)
"""Modules whose windows have one dimension."""


def pair(value: Any) -> tuple[Any, Any]:
    """A number for both directions of an image, or one for each, as torch's modules take them."""
    first, second = value if isinstance(value, (tuple, list)) else (value, value)
    return first, second
