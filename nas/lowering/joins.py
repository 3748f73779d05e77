"""Sums, products and concatenations as integers."""

import numpy as np

from nas.lowering.groups import Group
from nas.lowering.scalings import scaling
from nas.program.operations import Add, Concat, Mul, Operation
from nas.program.tensors import Signature
from nas.quantize import UnsupportedError


def add(group: Group, inputs: tuple[int, ...], signature: Signature) -> Operation:
    """The operation of a sum.

    Raises:
        UnsupportedError: if summands have factors.
    """
    _check_plain(group)
    factors = _scales(signature) / signature.result.scale
    return Add(group.name, inputs, scaling(factors, group.limits(signature.result)))


def mul(group: Group, inputs: tuple[int, ...], signature: Signature) -> Operation:
    """The operation of a product, whose first factor is the larger one.

    Raises:
        UnsupportedError: if the call has further arguments.
    """
    _check_plain(group)
    sizes = [source.size for source in signature.sources]
    ordered = inputs if sizes[0] >= sizes[1] else inputs[::-1]
    factors = np.array([_scales(signature).prod() / signature.result.scale])
    return Mul(group.name, ordered, scaling(factors, group.limits(signature.result)))


def _check_plain(group: Group) -> None:
    if group.node.kwargs.keys() - {"other"} and dict(group.node.kwargs) != {"alpha": 1}:
        raise UnsupportedError(
            f"{group.name!r} must have no further arguments, but got {dict(group.node.kwargs)}"
        )


def concat(group: Group, inputs: tuple[int, ...], signature: Signature) -> Operation:
    """The operation of a concatenation.

    Raises:
        UnsupportedError: if it does not join channels.
    """
    dim, rank = group.argument(1, "dim", 0), len(signature.source.shape) + 1 - group.signals
    if dim % rank != 1:
        raise UnsupportedError(
            f"{group.name!r} must join channels, dim=1, but got {group.node.args[1:]}, {dict(group.node.kwargs)}"
        )
    factors = _scales(signature) / signature.result.scale
    return Concat(group.name, inputs, scaling(factors, group.limits(signature.result)))


def _scales(signature: Signature) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([source.scale for source in signature.sources])
