"""Networks that a search in `ConvBlocks` starts from: as one would make them by hand."""

from collections.abc import Callable, Hashable, Iterator, Mapping

from nas.space import Choices, Design, Genotype
from nas.strategy import Facts

_CONV, _SEPARABLE = "conv3x3", "separable3x3"

# Of each of three stages: the width as a multiple of the first, the halving, and the operators of the
# residual blocks behind a convolution of 3x3.
_Pattern = tuple[float, str, tuple[str, ...]]
_PATTERNS: tuple[tuple[_Pattern, ...], ...] = (
    ((1.0, "pool", (_CONV,)), (1.5, "pool", ()), (2.0, "none", ())),
    ((1.0, "pool", (_CONV,)), (2.0, "pool", ()), (3.0, "none", (_SEPARABLE,))),
    ((1.0, "pool", (_CONV,)), (2.0, "pool", ()), (3.0, "none", (_CONV, _SEPARABLE))),
)


Stage = tuple[int, str, *tuple[str, ...]]
"""A width, a halving, and the operators of the residual blocks behind a convolution of 3x3."""


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
    residual convolution, the last none, a separable one or both.

    Args:
        choices: those of a `ConvBlocks`, perhaps with others; choices that a pattern says nothing
            of get their first option
        facts: the costs of a candidate before it is trained
    """
    options = {choice.name: choice.options for choice in choices}
    return tuple(
        dict.fromkeys(
            genotype
            for pattern in _PATTERNS
            for bits in _numbers(options["head.bits"])
            for genotype in _widest(choices, options, pattern, bits, facts)
        )
    )


def _widest(
    choices: Choices,
    options: Mapping[str, tuple[Hashable, ...]],
    pattern: tuple[_Pattern, ...],
    bits: int,
    facts: Callable[[Genotype], Facts],
) -> Iterator[Genotype]:
    for first in sorted(_numbers(options["stage0.width"]), reverse=True):
        stages = list[Stage]()
        for stage, (multiple, halving, repeats) in enumerate(pattern):
            wanted, widths = multiple * first, _numbers(options[f"stage{stage}.width"])
            stages.append((min(widths, key=lambda w: abs(w - wanted)), halving, *repeats))
        genotype = choices.complete(design(bits, *stages))
        if facts(genotype).excess == 0:
            yield genotype
            return


def _numbers(options: tuple[Hashable, ...]) -> list[int]:
    return [option for option in options if isinstance(option, int)]
