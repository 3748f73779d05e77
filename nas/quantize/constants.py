"""Sums and products of tensors and constants, as modules."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from nas.tracing import UnsupportedError, module_at

Number = float | int
Constant = Number | Tensor


class ChannelAffine(nn.Module):
    """The input times `gains` plus `offsets`, each one number or one for each channel, in shapes that
    broadcast to the input's.

    Parameters are shared, so that they go on learning; other tensors are copied.
    """

    gains: Tensor
    offsets: Tensor

    def __init__(self, gains: Constant, offsets: Constant) -> None:
        super().__init__()
        given = {"gains": torch.as_tensor(gains), "offsets": torch.as_tensor(offsets)}
        shape = (given["gains"] + given["offsets"]).shape
        for name, value in given.items():
            if isinstance(value, nn.Parameter):
                self.register_parameter(name, value)
            else:
                self.register_buffer(name, value.detach().float().expand(shape).clone())

    @property
    def learns(self) -> bool:
        """Whether a gain or an offset is a parameter."""
        return any(True for _ in self.parameters())

    def of_channels(self, name: str, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Gains and offsets of the channels of a tensor [C, …], [C] each, in 64-bit floats; `name` is
        for errors.

        Raises:
            UnsupportedError: if they differ within a channel.
        """
        found = []
        for value in (self.gains, self.offsets):
            try:
                whole = torch.broadcast_to(value.detach().double(), (1, *shape))[0].reshape(
                    shape[0], -1
                )
            except RuntimeError as error:
                raise UnsupportedError(
                    f"the constants of {name!r} must broadcast to {list(shape)}, but have the shape {list(value.shape)}"
                ) from error
            if bool((whole != whole[:, :1]).any()):
                raise UnsupportedError(
                    f"the constants of {name!r} must be one number or one for each channel of {list(shape)}, but have the "
                    f"shape {list(value.shape)}"
                )
            found.append(whole[:, 0])
        return found[0], found[1]

    def forward(self, x: Tensor) -> Tensor:
        """The input with each channel scaled and shifted."""
        return x * self.gains + self.offsets


class ScalarAffine(ChannelAffine):
    """The input times one number plus another: a function of one value."""


def affine(gains: Constant, offsets: Constant) -> ChannelAffine:
    """A module for these constants."""
    scalar = all(torch.as_tensor(value).numel() == 1 for value in (gains, offsets))
    return (ScalarAffine if scalar else ChannelAffine)(gains, offsets)


def with_affine_modules(
    traced: fx.GraphModule, replace: Callable[[fx.Node, nn.Module, fx.GraphModule], None]
) -> None:
    """Makes nodes that add, subtract, multiply or divide by a constant, and differences of two
    tensors, call modules, in place; `replace` makes a node call a module.

    Constants that follow each other are one module.
    """
    for node in list(traced.graph.nodes):
        kind = _KINDS.get(node.target) if node.op in ("call_function", "call_method") else None
        if kind is None or (found := _operands(node, traced)) is None:
            continue
        source, gains, offsets = kind(*found)
        if source is None:
            continue
        module = affine(gains, offsets)
        before = _affine_of(source, traced)
        node.args, node.kwargs = (source,), {}
        if before is not None and not (before.learns or module.learns):
            module = affine(
                before.gains * module.gains, before.offsets * module.gains + module.offsets
            )
            node.args = source.args
        replace(node, module, traced)
        if not source.users and source.op == "call_module":
            traced.graph.erase_node(source)
    for node in list(traced.graph.nodes):
        if node.op == "call_function" and node.target in (operator.sub, torch.sub):
            _add_negative(node, traced, replace)


def _affine_of(node: fx.Node, traced: fx.GraphModule) -> ChannelAffine | None:
    """The module of a node that nothing else reads; None if it is none of constants."""
    if node.op != "call_module" or len(node.users) > 1:
        return None
    module = module_at(traced, str(node.target))
    return module if isinstance(module, ChannelAffine) else None


def _operands(node: fx.Node, traced: fx.GraphModule) -> tuple[Any, Any] | None:
    """Both operands, constants as values; None if there is no constant among them."""
    operands = list(node.args)
    if "other" in node.kwargs:
        operands.append(node.kwargs["other"])
    if len(operands) == 1:
        operands.append(0)  # a negation
    if len(operands) != 2 or node.kwargs.keys() - {"other"}:
        return None
    values = [_value(operand, traced) for operand in operands]
    constants = [isinstance(value, (int, float, Tensor)) for value in values]
    return (values[0], values[1]) if sum(constants) == 1 else None


def _value(operand: Any, traced: fx.GraphModule) -> Any:
    if isinstance(operand, fx.Node) and operand.op == "get_attr":
        found = operator.attrgetter(str(operand.target))(traced)
        return found if isinstance(found, Tensor) else operand
    return operand


def _add(x: Any, y: Any) -> tuple[fx.Node | None, Constant, Constant]:
    return (x, 1.0, y) if isinstance(x, fx.Node) else (y, 1.0, x)


def _sub(x: Any, y: Any) -> tuple[fx.Node | None, Constant, Constant]:
    return (x, 1.0, -y) if isinstance(x, fx.Node) else (y, -1.0, x)


def _mul(x: Any, y: Any) -> tuple[fx.Node | None, Constant, Constant]:
    return (x, y, 0.0) if isinstance(x, fx.Node) else (y, x, 0.0)


def _div(x: Any, y: Any) -> tuple[fx.Node | None, Constant, Constant]:
    return (x, 1.0 / y, 0.0) if isinstance(x, fx.Node) else (None, 0.0, 0.0)


def _neg(x: Any, _: Any) -> tuple[fx.Node | None, Constant, Constant]:
    return x, -1.0, 0.0


_KINDS: Mapping[object, Callable[[Any, Any], tuple[fx.Node | None, Constant, Constant]]] = {
    **dict.fromkeys((operator.add, operator.iadd, torch.add, "add", "add_"), _add),
    **dict.fromkeys((operator.sub, operator.isub, torch.sub, "sub", "sub_"), _sub),
    **dict.fromkeys((operator.mul, operator.imul, torch.mul, "mul", "mul_"), _mul),
    **dict.fromkeys((operator.truediv, operator.itruediv, torch.div, "div", "div_"), _div),
    **dict.fromkeys((operator.neg, torch.neg, "neg"), _neg),
}
"""What the operands of each function or method are: a tensor, its gains and its offsets."""


def _add_negative(
    node: fx.Node,
    traced: fx.GraphModule,
    replace: Callable[[fx.Node, nn.Module, fx.GraphModule], None],
) -> None:
    """Makes the difference of two tensors the sum of one and the negative of the other."""
    if len(node.args) != 2 or node.kwargs or not all(isinstance(x, fx.Node) for x in node.args):
        return
    with traced.graph.inserting_before(node):
        negative = traced.graph.create_node(
            "call_function", operator.neg, (node.args[1],), name=f"{node.name}_negative"
        )
    replace(negative, affine(-1.0, 0.0), traced)
    node.target, node.args = operator.add, (node.args[0], negative)
