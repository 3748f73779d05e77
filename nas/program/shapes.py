"""Which operations fit which tensors."""

from collections.abc import Sequence

import numpy as np

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
    ProgramError,
    Scaling,
    Shape,
    TensorType,
    Upsample,
    ZeroPoints,
    require,
)

_REQUANTIZED = (Conv, Linear, Add, Mul, Concat, AvgPool)


def check(operation: Operation, sources: Sequence[TensorType], result: TensorType) -> None:
    """Refuses an operation whose tensors, weights and multipliers do not fit together.

    Raises:
        ProgramError: with the requirement and what was found.
    """
    wanted = (
        (2, 64)
        if isinstance(operation, (Add, Concat))
        else (2, 2)
        if isinstance(operation, Mul)
        else (1, 1)
    )
    require(
        wanted[0] <= len(sources) <= wanted[1],
        f"it must read {wanted[0]} to {wanted[1]} tensors, but reads {len(sources)}",
    )
    shape = result_shape(operation, [source.shape for source in sources])
    require(shape == result.shape, f"its result must be {shape}, but is {result.shape}")
    if isinstance(operation, (Conv, Linear)):
        _check_weights(operation, result)
    if isinstance(operation, _REQUANTIZED):
        _check_scaling(operation.scaling, _multipliers(operation, sources, result), result)
    elif isinstance(operation, Lut):
        levels = 2 ** sources[0].bits
        require(
            operation.table.shape == (levels,) and operation.table.dtype == np.uint8,
            f"a table must be uint8 [{levels}]",
        )
        require(int(operation.table.max()) <= result.top, f"a table must hold at most {result.top}")
    else:
        same = (sources[0].scale, sources[0].zero, sources[0].bits) == (
            result.scale,
            result.zero,
            result.bits,
        )
        require(same, "it must keep scale, zero point and bits of its input")


def _multipliers(operation: Operation, sources: Sequence[TensorType], result: TensorType) -> int:
    if isinstance(operation, (Conv, Linear)):
        return result.shape[0]
    return len(sources) if isinstance(operation, (Add, Concat)) else 1


def _check_scaling(scaling: Scaling, count: int, result: TensorType) -> None:
    require(
        len(scaling.multipliers) == count,
        f"it must have {count} multipliers, but has {len(scaling.multipliers)}",
    )
    require(
        scaling.high <= result.top,
        f"it must clamp to at most {result.top}, but clamps to {scaling.high}",
    )


def _check_weights(operation: Conv | Linear, result: TensorType) -> None:
    require(1 <= operation.bits <= 8, f"weights must have 1 to 8 bits, but have {operation.bits}")
    require(
        operation.weights.dtype == np.int8,
        f"weights must be int8, but are {operation.weights.dtype}",
    )
    top = 1 if operation.bits == 1 else 2 ** (operation.bits - 1) - 1
    low = -top if operation.zero_points is None else -top - 1
    fits = low <= int(operation.weights.min()) and int(operation.weights.max()) <= top
    require(fits, f"weights must lie in {low} … {top}")
    if operation.zero_points is not None:
        _check_zero_points(operation.zero_points, operation.bits, result.shape[0])
    if operation.entries is not None:
        found = len(np.unique(operation.weights))
        require(
            found <= operation.entries,
            f"weights must be at most {operation.entries} different ones, but are {found}",
        )
    require(
        operation.bits > 1 or bool(operation.weights.all()), "weights of one bit must be -1 or 1"
    )
    require(
        operation.biases.shape == (result.shape[0],) and operation.biases.dtype == np.int32,
        "biases must be int32, one a channel",
    )


def _check_zero_points(zero_points: ZeroPoints, bits: int, count: int) -> None:
    require(bits > 1, "weights with zero points must have 2 to 8 bits, but have 1")
    require(
        zero_points.shape == (count,) and zero_points.dtype == np.uint8,
        "zero points of weights must be uint8, one a channel",
    )
    top, found = 2**bits - 1, int(zero_points.max())
    require(
        found <= top,
        f"zero points of weights of {bits} bits must lie in 0 … {top}, but one is {found}",
    )


def result_shape(operation: Operation, shapes: Sequence[Shape]) -> Shape:  # noqa: C901 - one case an operation
    """The shape of one sample's result.

    Raises:
        ProgramError: if the operation cannot read such shapes.
    """
    first = shapes[0]
    match operation:
        case Conv():
            return _conv_shape(operation, first)
        case Linear():
            require(
                operation.weights.ndim == 2 and first == operation.weights.shape[1:],
                f"weights {operation.weights.shape} must fit {first}",
            )
            return operation.weights.shape[:1]
        case Add():
            require(len(set(shapes)) == 1, f"summands must have one shape, but have {list(shapes)}")
            return first
        case Mul():
            gate = first[:1] + (1,) * (len(first) - 1)
            require(
                shapes[1] in (first, gate),
                f"a factor of {first} must be {first} or {gate}, but is {shapes[1]}",
            )
            return first
        case Concat():
            require(
                len({shape[1:] for shape in shapes}) == 1,
                f"all but the first dimension must be one, but are {list(shapes)}",
            )
            return (sum(shape[0] for shape in shapes), *first[1:])
        case MaxPool() | AvgPool():
            channels, *size = _image(first)
            return (
                channels,
                *_windows(size, operation.kernel, operation.stride, operation.padding, (1, 1)),
            )
        case Gather():
            indices = operation.indices
            require(
                indices.ndim == 1 and indices.dtype == np.int32 and len(indices) > 0,
                "indices must be a vector of int32",
            )
            require(
                int(indices.min()) >= 0 and int(indices.max()) < first[0],
                f"indices must lie in 0 … {first[0] - 1}",
            )
            return (len(indices), *first[1:])
        case Flatten():
            return (int(np.prod(first)),)
        case Upsample():
            require(
                1 <= operation.factor <= 64,
                f"a factor must lie in 1 … 64, but is {operation.factor}",
            )
            channels, height, width = _image(first)
            return channels, height * operation.factor, width * operation.factor
        case Lut():
            return first
    raise ProgramError(f"{type(operation).__name__} is not an operation")


def _image(shape: Shape) -> Shape:
    require(len(shape) == 3, f"its input must be [C, H, W], but is {shape}")
    return shape


def _conv_shape(operation: Conv, source: Shape) -> Shape:
    channels, *size = _image(source)
    weights, groups = operation.weights, operation.groups
    require(
        weights.ndim == 4, f"weights must be [out, in / groups, kh, kw], but are {weights.shape}"
    )
    fits = groups >= 1 and weights.shape[0] % groups == 0 and weights.shape[1] * groups == channels
    require(fits, f"weights {weights.shape} in {groups} groups must fit {channels} channels")
    kernel = weights.shape[2], weights.shape[3]
    return (
        weights.shape[0],
        *_windows(size, kernel, operation.stride, operation.padding, operation.dilation),
    )


def _windows(
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> tuple[int, ...]:
    require(
        min(*kernel, *stride, *dilation) >= 1 and min(padding) >= 0,
        "kernel, stride and dilation must be positive",
    )
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    counts = tuple(
        (n + 2 * p - span) // s + 1
        for n, p, span, s in zip(size, padding, spans, stride, strict=True)
    )
    # A window that lies in the padding as a whole would be the mean, or the largest, of nothing.
    require(
        min(counts) >= 1 and all(p < span for p, span in zip(padding, spans, strict=True)),
        f"windows {kernel} must fit {list(size)}",
    )
    return counts
