"""Functions of one integer at a time."""

from collections.abc import Sequence

import numpy as np

from nas.c.joins import channel_loops
from nas.c.orders import Order, pixels
from nas.c.rounding import furthest, half, width_of
from nas.c.source import Source, literal
from nas.c.writer import Writers
from nas.program.operations import Lut, PRelu
from nas.program.tensors import Signature


def _lut(source: Source, lut: Lut, signature: Signature, _: Sequence[Order]) -> list[str]:
    table = source.table(f"{lut.name}: results", lut.table)
    return [
        "size_t i;",
        f"for (i = 0; i < {signature.result.size}; i++) {{",
        f"    out[i] = READ_8({table} + in0[i]);",
        "}",
    ]


def _prelu(source: Source, prelu: PRelu, signature: Signature, _: Sequence[Order]) -> list[str]:
    first, scaling = signature.source, prelu.scaling
    (factor,), constant = scaling.multipliers.tolist(), half(prelu, signature.result)
    steepest = max(factor, int(np.abs(prelu.slopes).max()))
    bits = width_of(constant, furthest(first) * steepest)
    slopes = source.table(f"{prelu.name}: slopes", prelu.slopes)
    total = f"(int{bits}_t)level * slope + {literal(constant)}"
    rounded = source.kernel(f"round_{bits}")
    return channel_loops(
        first.shape[0],
        pixels(first.shape),
        [
            f"const int16_t level = (int16_t)(in0[i] - {first.zero});",
            f"const int32_t slope = level >= 0 ? {literal(factor)} : (int32_t)READ_32({slopes} + channel);",
            f"out[i] = {rounded}({total}, {scaling.shift}, {scaling.low}, {scaling.high});",
        ],
    )


WRITERS: Writers = {Lut: _lut, PRelu: _prelu}
