"""Windows over images, as the kernels take them."""

from nas.c.errors import require
from nas.c.source import fields
from nas.program.operations.windows import Window
from nas.program.tensors import Signature

_LARGEST = 2**16 - 1


def window_fields(signature: Signature, window: Window) -> str:
    """The declaration of a window over the source of an operation."""
    channels, height, width = signature.source.shape
    results, rows, columns = signature.result.shape
    values = {
        "height": height,
        "width": width,
        "channels": channels,
        "rows": rows,
        "columns": columns,
        "results": results,
        "kernel_height": window.kernel[0],
        "kernel_width": window.kernel[1],
        "stride_y": window.stride[0],
        "stride_x": window.stride[1],
        "top": window.padding[0],
        "left": window.padding[1],
        "dilation_y": window.dilation[0],
        "dilation_x": window.dilation[1],
    }
    largest = max(values.values())
    require(
        largest <= _LARGEST,
        f"sizes, strides and margins must be at most {_LARGEST:,}, but one is {largest:,}",
    )
    return fields("window", "of", **values)
