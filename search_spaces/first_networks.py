"""Networks that a search in `ConvBlocks` starts from: as one would make them by hand."""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence

from nas.space import Choices, Design, Genotype
from nas.strategy import Facts

_CONV, _SEPARABLE = "conv3x3", "separable3x3"

# Of each of three stages: the width as a multiple of the first, the halving, and the operators of the
# residual blocks behind a convolution of 3x3.
_Pattern = tuple[tuple[float, str, tuple[str, ...]], ...]
_PATTERNS: tuple[_Pattern, ...] = (
    ((1.0, "pool", (_CONV,)), (1.5, "pool", ()), (2.0, "none", ())),
    ((1.0, "pool", (_CONV,)), (2.0, "pool", ()), (3.0, "none", (_SEPARABLE,))),
    ((1.0, "pool", (_CONV,)), (2.0, "pool", ()), (3.0, "none", (_CONV, _SEPARABLE))),
)


Stage = tuple[int, str, *tuple[str, ...]]
"""A width, a halving, and the operators of the residual blocks behind a convolution of 3x3."""

_Widths = tuple[int, ...]


def design(bits: int, *stages: Stage) -> Design:
    """The design of stages that begin with a convolution of 3x3, with the same bits everywhere."""
    chosen: dict[str, Hashable] = {"stages": len(stages), "head.bits": bits}
    for stage, (width, halving, *repeats) in enumerate(stages):
        site, depth = f"stage{stage}", 1 + len(repeats)
        chosen |= {f"{site}.width": width, f"{site}.halving": halving, f"{site}.depth": depth}
        if repeats:
            chosen[f"{site}.residual"] = True
        for block, operator in enumerate((_CONV, *repeats)):
            chosen |= {f"{site}.block{block}.op": operator, f"{site}.block{block}.bits": bits}
    return Design(chosen)


def first_networks(choices: Choices, facts: Callable[[Genotype], Facts]) -> tuple[Genotype, ...]:
    """Of three patterns, at each bit-width, the widest network within the limits.

    A pattern has two stages with max pooling and one without, that get wider; the first has a
    residual convolution, the last none, a separable one or both. What the widest in proportion leaves
    of the limits is filled by wider stages, the last one first.

    Args:
        choices: those of a `ConvBlocks`, perhaps with others; choices that a pattern says nothing
            of get their first option
        facts: the costs of a candidate before it is trained, which must not fall as it gets wider
    """
    options = {choice.name: choice.options for choice in choices}
    widths = [sorted(_numbers(options[f"stage{stage}.width"])) for stage in range(3)]
    found = list[Genotype]()
    for pattern in _PATTERNS:
        for bits in _numbers(options["head.bits"]):

            def genotype(
                chosen: _Widths, pattern: _Pattern = pattern, bits: int = bits
            ) -> Genotype:
                stages: list[Stage] = []
                for width, (_, halving, repeats) in zip(chosen, pattern, strict=True):
                    stages.append((width, halving, *repeats))
                return choices.complete(design(bits, *stages))

            wide = _widest(pattern, widths, lambda chosen: facts(genotype(chosen)).excess == 0)
            found += [] if wide is None else [genotype(wide)]
    return tuple(dict.fromkeys(found))


def _widest(
    pattern: _Pattern, widths: Sequence[Sequence[int]], fits: Callable[[_Widths], bool]
) -> _Widths | None:
    """The largest widths of a pattern's stages that fit; None if none do."""

    def in_proportion(first: int) -> _Widths:
        return tuple(
            min(options, key=lambda width: abs(width - multiple * first))
            for (multiple, _, _), options in zip(pattern, widths, strict=True)
        )

    proportional = [in_proportion(first) for first in widths[0]]
    count = _fitting(proportional, fits)
    if count == 0:
        return None
    wide = proportional[count - 1]
    for stage in reversed(range(len(wide))):
        wider = [
            (*wide[:stage], width, *wide[stage + 1 :])
            for width in widths[stage]
            if width > wide[stage]
        ]
        wide = [wide, *wider][_fitting(wider, fits)]
    return wide


def _fitting(rising: Sequence[_Widths], fits: Callable[[_Widths], bool]) -> int:
    """How many of these, which get wider, fit."""
    return bisect_left(rising, True, key=lambda chosen: not fits(chosen))


def _numbers(options: tuple[Hashable, ...]) -> list[int]:
    return [option for option in options if isinstance(option, int)]
