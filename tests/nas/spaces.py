"""Random spaces and genotypes."""

from collections.abc import Hashable, Iterator
from itertools import product

from hypothesis import strategies as st

from nas.space import AnyOf, Choice, Choices, Condition, Genotype

SIMPLE = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
)


OPTIONS = st.lists(SIMPLE | st.tuples(SIMPLE, SIMPLE), min_size=1, max_size=3, unique=True).map(
    tuple
)


CONV = Choices(
    [
        Choice("stage", "op", ("skip", "conv", "dwconv")),
        Choice("stage", "width", (8, 16, 32), ("stage.op", frozenset({"conv", "dwconv"}))),
        Choice("stage", "prune", (0.0, 0.5), ("stage.width", frozenset({16, 32}))),
        Choice("stage", "bits", (2, 4, 8), ("stage.prune", frozenset({0.5}))),
        Choice("", "depth", (1, 2)),
        Choice("head", "bits", (4, 8), ("depth", frozenset({2}))),
    ]
)


@st.composite
def spaces(draw: st.DrawFn) -> Choices:
    """Up to six choices; most hang on the one before them, so that conditions form chains of
    several levels, and some on another one too, or instead.
    """
    choices: list[Choice] = []
    for index in range(draw(st.integers(1, 6))):
        when: tuple[Condition, ...] | AnyOf = ()
        hangs = draw(st.booleans()) or draw(st.booleans())
        if choices and hangs:
            parent = choices[-1] if draw(st.booleans()) else draw(st.sampled_from(choices))
            other = draw(st.sampled_from([parent, *choices]))
            when = tuple(
                (each.name, draw(st.frozensets(st.sampled_from(each.options), min_size=1)))
                for each in dict.fromkeys((parent, other))
            )
            when = AnyOf(when) if draw(st.booleans()) else when
        choices.append(
            Choice(draw(st.sampled_from(["", "a", "a.b"])), f"kind{index}", draw(OPTIONS), when)
        )
    return Choices(choices)


@st.composite
def genotypes(draw: st.DrawFn) -> tuple[Choices, Genotype]:
    choices = draw(spaces())
    return choices, tuple(draw(st.integers(0, arity - 1)) for arity in choices.arities)


def meant(choices: Choices, genotype: Genotype) -> dict[str, Hashable]:
    """A design, written down from what `when` says instead of from indices."""
    design: dict[str, Hashable] = {}
    for choice, gene in zip(choices, genotype, strict=True):
        if any(
            all(name in design and design[name] in values for name, values in conditions)
            for conditions in choice.alternatives
        ):
            design[choice.name] = choice.options[gene]
    return design


def every(choices: Choices) -> Iterator[Genotype]:
    return product(*map(range, choices.arities))
