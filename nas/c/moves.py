"""Operations that move integers; views are no statements."""

from collections.abc import Sequence

import numpy as np

from nas.c.orders import Order, pixels
from nas.c.source import Source
from nas.c.writer import Writers
from nas.program.operations import Gather, Pad, Upsample
from nas.program.tensors import Signature


def _gather(source: Source, gather: Gather, signature: Signature, _: Sequence[Order]) -> list[str]:
    shape = signature.source.shape
    bits = 16 if shape[0] <= 2**16 else 32
    indices = gather.indices.astype(np.uint16 if bits == 16 else np.uint32)
    table, kernel = (
        source.table(f"{gather.name}: indices", indices),
        source.kernel(f"gather_{bits}"),
    )
    return [f"{kernel}(in0, out, {pixels(shape)}, {shape[0]}, {table}, {len(indices)});"]


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


WRITERS: Writers = {Gather: _gather, Pad: _pad, Upsample: _upsample}
