"""Operations on several tensors."""

from collections.abc import Sequence

from nas.c.orders import Order, pixels
from nas.c.rounding import furthest, half, width_of
from nas.c.source import Source, literal
from nas.c.writer import Writers
from nas.program.operations import Add, Concat, Mul
from nas.program.scaling import Scaling
from nas.program.tensors import Signature


def _add(source: Source, add: Add, signature: Signature, _: Sequence[Order]) -> list[str]:
    multipliers = add.scaling.multipliers.tolist()
    # Zero points are multiplied here, so that unsigned integers are left.
    pairs = list(zip(signature.sources, multipliers, strict=True))
    constant = half(add, signature.result) - sum(each.zero * factor for each, factor in pairs)
    bits = width_of(constant, *(each.top * factor for each, factor in pairs))
    terms = [
        f"(int{bits}_t)in{index}[i] * {literal(factor)}" for index, factor in enumerate(multipliers)
    ]
    total = "\n                          + ".join([literal(constant), *terms])
    return [
        "size_t i;",
        f"for (i = 0; i < {signature.result.size}; i++) {{",
        f"    out[i] = {_rounded(source, bits, total, add.scaling)};",
        "}",
    ]


def _mul(source: Source, mul: Mul, signature: Signature, _: Sequence[Order]) -> list[str]:
    first, second = signature.sources
    (factor,), channels = mul.scaling.multipliers.tolist(), first.shape[0]
    constant = half(mul, signature.result)
    bits = width_of(constant, furthest(first) * furthest(second) * factor)
    gate = second.shape != first.shape
    other = "in1[channel]" if gate else "in1[i]"
    total = (
        f"(int{bits}_t)(in0[i] - {first.zero}) * ({other} - {second.zero}) * {literal(factor)}"
        f" + {literal(constant)}"
    )
    lines = [f"out[i] = {_rounded(source, bits, total, mul.scaling)};"]
    if gate:
        return channel_loops(channels, pixels(first.shape), lines)
    return ["size_t i;", f"for (i = 0; i < {first.size}; i++) {{", *_indented(lines), "}"]


def _concat(source: Source, concat: Concat, signature: Signature, _: Sequence[Order]) -> list[str]:
    lines, start = ["size_t pixel, i;"], 0
    channels, constant = signature.result.shape[0], half(concat, signature.result)
    for index, (each, factor) in enumerate(
        zip(signature.sources, concat.scaling.multipliers.tolist(), strict=True)
    ):
        count = each.shape[0]
        bits = width_of(constant - each.zero * factor, each.top * factor)
        total = (
            f"(int{bits}_t)in{index}[pixel * {count} + i] * {literal(factor)}"
            f" + {literal(constant - each.zero * factor)}"
        )
        lines += [
            f"for (pixel = 0; pixel < {pixels(each.shape)}; pixel++) {{",
            f"    for (i = 0; i < {count}; i++) {{",
            f"        out[pixel * {channels} + {start} + i] =",
            f"            {_rounded(source, bits, total, concat.scaling)};",
            "    }",
            "}",
        ]
        start += count
    return lines


def channel_loops(channels: int, count: int, lines: Sequence[str]) -> list[str]:
    """Lines that are repeated for each element `i` and its `channel`, of so many pixels."""
    return [
        "size_t pixel, channel, i = 0;",
        f"for (pixel = 0; pixel < {count}; pixel++) {{",
        f"    for (channel = 0; channel < {channels}; channel++, i++) {{",
        *_indented(_indented(lines)),
        "    }",
        "}",
    ]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _rounded(source: Source, bits: int, total: str, scaling: Scaling) -> str:
    kernel = source.kernel(f"round_{bits}")
    return f"{kernel}({total}, {scaling.shift}, {scaling.low}, {scaling.high})"


WRITERS: Writers = {Add: _add, Mul: _mul, Concat: _concat}
