"""Operations that repeat, pad, slice and spread the pixels of images."""

from collections.abc import Sequence

from nas.c.orders import Order
from nas.c.source import Source
from nas.c.writer import Writers
from nas.program.operations import Pad, Slice, Spread, Upsample
from nas.program.tensors import Signature


def _pad(source: Source, pad: Pad, signature: Signature, _: Sequence[Order]) -> list[str]:
    channels, height, width = signature.source.shape
    line = signature.result.shape[2] * channels
    (above, below), (left, right) = pad.rows, pad.columns
    sizes = [
        height,
        width * channels,
        above * line,
        left * channels,
        right * channels,
        below * line,
    ]
    listed = ", ".join(map(str, sizes))
    return [f"{source.kernel('pad')}(in0, out, {listed}, {signature.source.zero});"]


def _upsample(
    source: Source, upsample: Upsample, signature: Signature, _: Sequence[Order]
) -> list[str]:
    channels, height, width = signature.source.shape
    kernel = source.kernel("upsample")
    return [f"{kernel}(in0, out, {height}, {width}, {channels}, {upsample.factor});"]


def _slice(source: Source, each: Slice, signature: Signature, _: Sequence[Order]) -> list[str]:
    channels, _height, width = signature.source.shape
    (top, left), (down, right) = each.starts, each.steps
    rows, columns = each.counts
    first, line = (top * width + left) * channels, width * channels
    steps = f"{down * line}, {right * channels}, {columns * channels}, {channels}"
    kernel = source.kernel("copy_pixels")
    return [f"{kernel}(in0 + {first}, out, {rows}, {columns}, {channels}, {steps});"]


def _spread(source: Source, spread: Spread, signature: Signature, _: Sequence[Order]) -> list[str]:
    channels, height, width = signature.source.shape
    line = signature.result.shape[2] * channels
    (down, right), kernel = spread.factors, source.kernel("copy_pixels")
    steps = f"{width * channels}, {channels}, {down * line}, {right * channels}"
    return [
        f"memset(out, {signature.source.zero}, {signature.result.size});",
        f"{kernel}(in0, out, {height}, {width}, {channels}, {steps});",
    ]


WRITERS: Writers = {Pad: _pad, Slice: _slice, Spread: _spread, Upsample: _upsample}
