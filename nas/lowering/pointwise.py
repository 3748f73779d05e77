"""Functions of one integer at a time."""

from typing import Any

import torch
from torch import Tensor, fx

from nas.lowering.groups import Group
from nas.program.operations import Lut, Operation
from nas.program.tensors import Signature


def function(group: Group, inputs: tuple[int, ...], signature: Signature) -> Operation:
    """The table of a function, whose entries are what the network computes for each integer."""
    source, result = signature.source, signature.result
    values = (torch.arange(source.top + 1) - source.zero) * source.scale
    rounded = (_called(group, values) / result.scale).round().add(result.zero)
    table = rounded.clamp(0, result.top).to(torch.uint8).numpy()
    return Lut(group.name, inputs, table)


def _called(group: Group, values: Tensor) -> Tensor:
    """What the function gives for other values than those of the network."""
    target: Any = group.node.target
    (x, *others), kwargs = fx.map_arg((group.node.args, group.node.kwargs), lambda _: values)
    call = getattr(x, target) if group.node.op == "call_method" else group.module or target
    outputs: Tensor = (
        call(*others, **kwargs) if group.node.op == "call_method" else call(x, *others, **kwargs)
    )
    return outputs
