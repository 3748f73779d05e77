"""The records of poolings."""

from nas.packed.fields import Cursor, pair, varint
from nas.packed.record import Inputs, of_one_version
from nas.packed.scalings import read_scaled, write_scaled
from nas.program.operations import AvgPool, EdgeAvgPool, EdgeMaxPool, MaxPool, Pool
from nas.program.tensors import Signature, TensorType


def _windows(pool: Pool) -> bytes:
    return b"".join(map(pair, (pool.kernel, pool.stride, pool.padding)))


def _write_max_pool(pool: MaxPool, _: Signature) -> bytes:
    return _windows(pool)


def _read_max_pool(
    cursor: Cursor, inputs: Inputs, source: TensorType
) -> tuple[MaxPool, TensorType]:
    kernel, stride, padding = (cursor.pair() for _ in range(3))
    cursor.enter("structure")
    return MaxPool(cursor.layer, inputs, kernel, stride, padding), source


def _write_avg_pool(pool: AvgPool, signature: Signature) -> bytes:
    return _windows(pool) + write_scaled(signature.result, pool.scaling)


def _read_avg_pool(cursor: Cursor, inputs: Inputs, _: TensorType) -> tuple[AvgPool, TensorType]:
    kernel, stride, padding = (cursor.pair() for _ in range(3))
    result, scaling = read_scaled(cursor, 1)
    return AvgPool(cursor.layer, inputs, kernel, stride, padding, scaling), result


def _write_edge_max_pool(pool: EdgeMaxPool, _: Signature) -> bytes:
    return _windows(pool) + pair(pool.extra)


def _read_edge_max_pool(
    cursor: Cursor, inputs: Inputs, source: TensorType
) -> tuple[EdgeMaxPool, TensorType]:
    kernel, stride, padding, extra = (cursor.pair() for _ in range(4))
    cursor.enter("structure")
    return EdgeMaxPool(cursor.layer, inputs, kernel, stride, padding, extra), source


def _write_edge_avg_pool(pool: EdgeAvgPool, signature: Signature) -> bytes:
    count = varint(len(pool.scaling.multipliers))
    scaled = write_scaled(signature.result, pool.scaling)
    return _windows(pool) + pair(pool.extra) + count + scaled


def _read_edge_avg_pool(
    cursor: Cursor, inputs: Inputs, _: TensorType
) -> tuple[EdgeAvgPool, TensorType]:
    kernel, stride, padding, extra = (cursor.pair() for _ in range(4))
    result, scaling = read_scaled(cursor, cursor.varint())
    return EdgeAvgPool(cursor.layer, inputs, kernel, stride, padding, scaling, extra), result


MAX_POOL = of_one_version(MaxPool, _write_max_pool, _read_max_pool)
AVG_POOL = of_one_version(AvgPool, _write_avg_pool, _read_avg_pool)
EDGE_MAX_POOL = of_one_version(EdgeMaxPool, _write_edge_max_pool, _read_edge_max_pool, version=6)
EDGE_AVG_POOL = of_one_version(EdgeAvgPool, _write_edge_avg_pool, _read_edge_avg_pool, version=6)
