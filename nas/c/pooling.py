"""Poolings of images."""

from collections.abc import Sequence
from math import prod

import numpy as np

from nas.c.errors import require
from nas.c.orders import Order
from nas.c.rounding import INT32, furthest, half
from nas.c.source import Source, fields, literal
from nas.c.windows import window_fields
from nas.c.writer import Writers
from nas.program.operations import AvgPool, EdgeAvgPool, EdgeMaxPool, MaxPool
from nas.program.tensors import Signature


def _max_pool(source: Source, pool: MaxPool, signature: Signature, _: Sequence[Order]) -> list[str]:
    return [window_fields(signature, pool.window), f"{source.kernel('max_pool')}(in0, out, &of);"]


def _mean_pool(
    source: Source, pool: AvgPool, signature: Signature, _: Sequence[Order]
) -> list[str]:
    largest = prod(pool.kernel) * furthest(signature.source)
    require(largest <= INT32, f"the sum of a window must fit 32 bits, but reaches {largest:,}")
    pixels = "NULL"
    if isinstance(pool, EdgeAvgPool):
        counts = np.unique(pool.pixels(signature.source.shape)).astype(np.uint32)
        pixels = source.table(f"{pool.name}: pixels of windows", counts)
    by = fields(
        "mean",
        "by",
        pixels=pixels,
        multipliers=source.table(f"{pool.name}: multipliers", pool.scaling.multipliers),
        half=literal(half(pool, signature.result)),
        shift=pool.scaling.shift,
        low=pool.scaling.low,
        high=pool.scaling.high,
    )
    zero, kernel = signature.source.zero, source.kernel("mean_pool")
    return [window_fields(signature, pool.window), by, f"{kernel}(in0, out, &of, {zero}, &by);"]


WRITERS: Writers = {
    MaxPool: _max_pool,
    EdgeMaxPool: _max_pool,
    AvgPool: _mean_pool,
    EdgeAvgPool: _mean_pool,
}
