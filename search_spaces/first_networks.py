"""Networks that a search in `ConvBlocks` starts from: as one would make them by hand."""

from collections.abc import Callable, Hashable, Iterator, Mapping

from nas.space import Choices, Genotype
from nas.strategy import Facts

_CONV, _SEPARABLE = "conv3x3", "separable3x3"

# Of each of three stages: the width as a multiple of the first, the halving, and the operators of the
# residual blocks behind a convolution of 3x3.
_Stage = tuple[float, str, tuple[str, ...]]
_PATTERNS: tuple[tuple[_Stage, ...], ...] = (
    ((1.0, "pool", (_CONV,)), (1.5, "pool", ()), (2.0, "none", ())),
    ((1.0, "pool", (_CONV,)), (2.0, "pool", ()), (3.0, "none", (_SEPARABLE,))),
    ((1.0, "pool", (_CONV,)), (2.0, "pool", ()), (3.0, "none", (_CONV, _SEPARABLE))),
)


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
            for bits in options["head.bits"]
            for genotype in _widest(choices, options, pattern, bits, facts)
        )
    )


def _widest(
    choices: Choices,
    options: Mapping[str, tuple[Hashable, ...]],
    pattern: tuple[_Stage, ...],
    bits: Hashable,
    facts: Callable[[Genotype], Facts],
) -> Iterator[Genotype]:
    for first in sorted(_numbers(options["stage0.width"]), reverse=True):
        design: dict[str, Hashable] = {"stages": len(pattern), "head.bits": bits}
        for stage, (multiple, halving, repeats) in enumerate(pattern):
            site = f"stage{stage}"
            wanted = multiple * first
            width = min(_numbers(options[f"{site}.width"]), key=lambda w: abs(w - wanted))
            design |= {f"{site}.width": width, f"{site}.halving": halving}
            design |= {f"{site}.depth": 1 + len(repeats), f"{site}.residual": True}
            for block, operator in enumerate((_CONV, *repeats)):
                design |= {f"{site}.block{block}.op": operator, f"{site}.block{block}.bits": bits}
        genotype = choices.complete(design)
        if facts(genotype).excess == 0:
            yield genotype
            return


def _numbers(options: tuple[Hashable, ...]) -> list[int]:
    return [option for option in options if isinstance(option, int)]
