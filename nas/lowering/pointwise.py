"""Functions of one integer at a time."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from nas.lowering.groups import Group
from nas.lowering.layers import double
from nas.lowering.scalings import shift_for
from nas.program.operations import Lut, Operation, PRelu
from nas.program.scaling import MAX_MULTIPLIER, Scaling
from nas.program.tensors import Signature


def function(group: Group, inputs: tuple[int, ...], signature: Signature) -> Operation:
    """The operation of a function: multipliers for nn.PReLU, else a table of what the network
    computes for each integer.
    """
    if isinstance(group.module, nn.PReLU):
        return _prelu(group, inputs, signature, double(group.module.weight))
    source, result = signature.source, signature.result
    values = (torch.arange(source.top + 1) - source.zero) * source.scale
    rounded = (_called(group, values) / result.scale).round().add(result.zero)
    table = rounded.clamp(0, result.top).to(torch.uint8).numpy()
    return Lut(group.name, inputs, table)


def _prelu(
    group: Group, inputs: tuple[int, ...], signature: Signature, slopes: NDArray[np.float64]
) -> Operation:
    """The operation of an nn.PReLU with these slopes; a single one is that of every channel."""
    factor = signature.source.scale / signature.result.scale
    factors = factor * np.resize(slopes, signature.source.shape[0])
    shift = shift_for(max(factor, float(np.abs(factors).max())))
    multiplier = np.rint(np.array([factor]) * 2.0**shift).clip(1, MAX_MULTIPLIER)
    rounded = np.rint(factors * 2.0**shift).clip(-MAX_MULTIPLIER, MAX_MULTIPLIER)
    limits = group.limits(signature.result)
    scaling = Scaling(multiplier.astype(np.uint16), shift, *limits)
    return PRelu(group.name, inputs, scaling, rounded.astype(np.int32))


def _called(group: Group, values: Tensor) -> Tensor:
    """What the function gives for other values than those of the network."""
    target: Any = group.node.target
    (x, *others), kwargs = fx.map_arg((group.node.args, group.node.kwargs), lambda _: values)
    call = getattr(x, target) if group.node.op == "call_method" else group.module or target
    outputs: Tensor = (
        call(*others, **kwargs) if group.node.op == "call_method" else call(x, *others, **kwargs)
    )
    return outputs
