"""The zeros that convolutions add around their inputs."""

from nas.layers import Convolution
from nas.lowering.groups import Group, plane
from nas.program.operations import Operation, Pad
from nas.program.operations.windows import Pair
from nas.quantize import UnsupportedError


def conv_margins(conv: Convolution, name: str) -> tuple[Pair, Pair]:
    """The rows above and below, and the columns left and right, that a convolution adds.

    Raises:
        UnsupportedError: if it adds something other than zeros.
    """
    if conv.padding_mode != "zeros":
        raise UnsupportedError(
            f"{name!r} must pad with zeros, but has {conv.padding_mode!r}; use an nn.Conv2d with padding_mode='zeros'"
        )
    if conv.padding == "valid":
        return (0, 0), (0, 0)
    if conv.padding == "same":
        spans = plane(conv.dilation, conv, 1), plane(conv.kernel_size, conv, 1)
        totals = (d * (k - 1) for d, k in zip(*spans, strict=True))
        rows, columns = ((total // 2, total - total // 2) for total in totals)
        return rows, columns
    top, left = plane(conv.padding, conv, 0)
    return (top, top), (left, left)


def margin(group: Group, inputs: tuple[int, ...]) -> Operation | None:
    """The padding that a convolution needs before it, because its margins differ; None for any other
    layer.
    """
    if not isinstance(group.module, Convolution):
        return None
    rows, columns = conv_margins(group.module, group.name)
    if rows[0] == rows[1] and columns[0] == columns[1]:
        return None
    return Pad(f"{group.name}.pad", inputs, rows, columns)
