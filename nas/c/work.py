"""What running a program as C takes, counted from shapes alone."""

from collections import Counter
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from nas.c.layers import LANES, PIECE, kernel_of
from nas.c.steps import Computed, Copied, Step, Transposed, plan
from nas.program.operations import Conv, Layer, Operation, Pool
from nas.program.operations.windows import Window
from nas.program.program import Program
from nas.program.tensors import Shape, Signature

ONCE = " once"
QUAD = 4
"""Products that are computed in one go: of a dot product, and of channels side by side."""


@dataclass(frozen=True)
class Work:
    """A kernel, and how often each of its loops runs its body, in an order of the kernel's own.

    The first number is 1, for what is done once. A kernel that a program calls once is another,
    "… once", because compilers write it into its caller, with the numbers that it is called with.
    """

    kernel: str
    times: tuple[int, ...]


def works(program: Program) -> list[Work]:
    """What calling model_run takes beside its steps, and each of the steps, in order."""
    first, last = program.tensors[0], program.tensors[-1]
    clamped = first.size if first.top < 255 else 0
    found = [Work("call", (1, clamped, last.size)), *map(_of_step, plan(program).steps)]
    calls = Counter(work.kernel for work in found)
    return [
        replace(work, kernel=work.kernel + ONCE) if calls[work.kernel] == 1 else work
        for work in found
    ]


def _of_step(step: Step) -> Work:
    match step:
        case Computed():
            return _of_operation(step.operation, step.signature)
        case Transposed():
            return Work("transpose", (1, step.rows * step.columns))
        case Copied():
            return Work("copy", (1, step.size))


def _of_operation(operation: Operation, signature: Signature) -> Work:
    if isinstance(operation, Layer):
        return _of_layer(operation, signature)
    kind, result = type(operation).__name__, signature.result
    if isinstance(operation, Pool):
        down, right = _taps(operation.window, signature.source.shape, result.shape)
        taps, pixels = int(down.sum() * right.sum()), len(down) * len(right)
        channels, blocks = result.shape[0], -(-result.shape[0] // LANES)
        return Work(kind, (1, pixels, blocks * taps, channels * taps, result.size))
    read = sum(source.size for source in signature.sources)
    pixels = prod(result.shape[1:])
    return Work(kind, (1, pixels, pixels * len(signature.sources), result.size, read))


def _of_layer(layer: Layer, signature: Signature) -> Work:
    kernel, results = kernel_of(layer, signature), len(layer.weights.values)
    size = prod(layer.weights.shape[1:])
    if kernel in ("depthwise", "few"):
        loops = _lane_loops(layer, signature, kernel)
        return Work(kernel, (1, results, *loops, *_unpacked(layer, size, LANES)))
    unpacked = _unpacked(layer, size, together=1)
    if kernel == "linear":
        dots = (results * -(-size // PIECE), results * (size // QUAD), results * (size % QUAD))
        return Work(kernel, (1, results, *dots, *unpacked))
    assert isinstance(layer, Conv)
    pairs = layer.groups * -(-(results // layer.groups) // 2)
    loops = tuple(pairs * times for times in _dot_loops(layer, signature))
    return Work(kernel, (1, pairs, *loops, *unpacked))


def _lane_loops(layer: Layer, signature: Signature, kernel: str) -> tuple[int, ...]:
    """Of channels side by side: pixels of blocks and of runs of four channels, results, lines of windows,
    and products in runs and of single channels.
    """
    assert isinstance(layer, Conv)
    down, right = _taps(layer.window, signature.source.shape, signature.result.shape)
    results, pixels = len(layer.weights.values), len(down) * len(right)
    blocks, runs, taps = -(-results // LANES), -(-results // QUAD), int(down.sum() * right.sum())
    # A depthwise kernel has no run for what is left of the channels, others compute zeros beside it.
    alone = results % QUAD if kernel == "depthwise" else 0
    filled = results // QUAD if kernel == "depthwise" else runs * layer.weights.shape[1]
    lines = int(down.sum()) * len(right)
    return (
        blocks * pixels,
        runs * pixels,
        results * pixels,
        runs * lines,
        filled * taps,
        alone * taps,
    )


def _dot_loops(conv: Conv, signature: Signature) -> tuple[int, ...]:
    """Of two channels: pixels, dot products, and in these products by four and one by one."""
    down, right = _taps(conv.window, signature.source.shape, signature.result.shape)
    each, whole = conv.weights.shape[1], conv.groups == 1 and conv.dilation[1] == 1
    lengths = right * each if whole else np.full(int(right.sum()), each)
    quads, rest = (int(down.sum() * part.sum()) for part in (lengths // QUAD, lengths % QUAD))
    return len(down) * len(right), int(down.sum()) * len(lengths), quads, rest


def _unpacked(layer: Layer, size: int, together: int) -> tuple[int, int, int]:
    """Weights that are unpacked byte by byte, in words of eight weights, and one by one."""
    weights = layer.weights
    count, bits = weights.size, weights.bits
    if together > 1 or bits == 1 or weights.kept is not None or size * bits % 8:
        return 0, 0, count
    whole = count // size * (size // 8 * 8)
    return (whole, 0, count - whole) if bits in (2, 4, 8) else (0, whole, count - whole)


def _taps(
    window: Window, source: Shape, result: Shape
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many taps of the windows of each row, and of each column, lie inside the image."""
    found = []
    for axis in (0, 1):
        starts = np.arange(result[axis + 1])[:, None] * window.stride[axis] - window.padding[axis]
        at = starts + np.arange(window.kernel[axis]) * window.dilation[axis]
        found.append(((at >= 0) & (at < source[axis + 1])).sum(1))
    return found[0], found[1]
