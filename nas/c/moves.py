"""Operations that move integers; views are no statements."""

from collections.abc import Sequence

import numpy as np

from nas.c.orders import Order, pixels
from nas.c.source import Source
from nas.c.writer import Writers
from nas.program.operations import Gather
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


WRITERS: Writers = {Gather: _gather}
