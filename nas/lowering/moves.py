"""Operations that move integers, and layers that do nothing at inference."""

import numpy as np
from torch import nn
from torch.nn import functional

from nas.lowering.groups import Group, pair
from nas.lowering.pooling import max_pool
from nas.program.operations import Flatten, Gather, Operation, Pad, Upsample
from nas.program.operations.windows import Pair
from nas.program.tensors import TensorType
from nas.quantize import Select, UnsupportedError


def move(group: Group, inputs: tuple[int, ...], source: TensorType) -> Operation | None:
    """The operation of a node that changes no integer; None where it does nothing at all.

    Raises:
        UnsupportedError: if it is called in a way that has no integer form.
    """
    module = group.module
    if isinstance(module, nn.MaxPool2d):
        return max_pool(group, inputs)
    if isinstance(module, Select):
        return Gather(group.name, inputs, module.indices.numpy().astype(np.int32))
    if isinstance(module, nn.UpsamplingNearest2d):
        return _upsample(group, inputs, module)
    if isinstance(module, nn.ZeroPad2d) or group.node.target is functional.pad:
        rows, columns = margins(group)
        return Pad(group.name, inputs, rows, columns) if any(rows + columns) else None
    if module is None or isinstance(module, nn.Flatten):
        return _flatten(group, inputs, source)
    return None


def _upsample(group: Group, inputs: tuple[int, ...], module: nn.UpsamplingNearest2d) -> Operation:
    rows, columns = pair(module.scale_factor)
    if rows is None or rows != columns or rows != int(rows):
        raise UnsupportedError(
            f"{group.name!r} must enlarge by a whole scale_factor, but is {module}"
        )
    return Upsample(group.name, inputs, int(rows))


def _flatten(group: Group, inputs: tuple[int, ...], source: TensorType) -> Operation | None:
    if group.node.target is functional.max_pool2d:
        raise UnsupportedError(f"{group.name!r} must be a module, nn.MaxPool2d, but is a function")
    module = group.module
    start = (
        module.start_dim if isinstance(module, nn.Flatten) else group.argument(1, "start_dim", 0)
    )
    if start != 1:
        raise UnsupportedError(f"{group.name!r} must flatten from dimension 1, but from {start}")
    return Flatten(group.name, inputs) if len(source.shape) == 3 else None


def margins(group: Group) -> tuple[Pair, Pair]:
    """The rows above and below, and the columns left and right, that a padding adds.

    Raises:
        UnsupportedError: if it adds something other than zeros, or does not add to images alone.
    """
    if isinstance(group.module, nn.ZeroPad2d):
        given, mode, value = group.module.padding, "constant", None
    else:
        given = group.argument(1, "pad", ())
        mode, value = group.argument(2, "mode", "constant"), group.argument(3, "value", None)
    if mode != "constant" or value not in (None, 0):
        raise UnsupportedError(
            f"{group.name!r} must pad with zeros, mode 'constant' and value 0, but has {mode!r}, {value!r}"
        )
    if len(given) != 4 or min(given) < 0:
        raise UnsupportedError(
            f"{group.name!r} must pad by 0 or more, (left, right, top, bottom), but by {tuple(given)}"
        )
    left, right, top, bottom = given
    return (top, bottom), (left, right)
