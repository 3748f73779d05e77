import copy
import doctest
import pickle
from collections import Counter
from itertools import product
from operator import eq, le, ne
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.space import AnyOf, Choice, Choices, Constraint, Genotype, constraint
from tests.nas.spaces import every, meant, spaces

WIDTHS = tuple(Choice(f"stage{stage}", "width", (8, 16, 24)) for stage in range(3))
GROWING = (
    Constraint(("stage0.width", "stage1.width"), le),
    Constraint(("stage1.width", "stage2.width"), le),
)
TIED = Choices(WIDTHS, GROWING)


@st.composite
def tied_spaces(draw: st.DrawFn) -> Choices:
    """Random spaces with up to three constraints between any choices that allow any combinations."""
    choices = draw(spaces())
    if len(choices) < 2:
        return choices
    constraints = []
    for _ in range(draw(st.integers(1, 3))):
        several = draw(st.lists(st.sampled_from(choices), min_size=2, max_size=3, unique=True))
        combinations = list(product(*(each.options for each in several)))
        allowed = draw(st.lists(st.sampled_from(combinations), min_size=1))
        names = tuple(each.name for each in several)
        constraints.append(Constraint(names, lambda *options, a=tuple(allowed): options in a))
    if any(keeps(choices, constraints, genes) for genes in every(choices)):
        return Choices(choices, constraints)
    with pytest.raises(ValueError, match="together allow none"):
        Choices(choices, constraints)
    return choices


def keeps(choices: Choices, constraints: Any, genotype: Genotype) -> bool:
    design = meant(choices, genotype)
    return all(
        each.holds(*map(design.__getitem__, each.names))
        for each in constraints
        if all(name in design for name in each.names)
    )


def legal(choices: Choices) -> list[Genotype]:
    """All canonical genotypes that keep the constraints, by trying them."""
    free = Choices(choices)
    return sorted(
        {free.canonical(g) for g in every(choices) if keeps(choices, choices.constraints, g)}
    )


def test_the_example_is_correct() -> None:
    assert doctest.testmod(constraint) == (0, 3)


@settings(deadline=None, max_examples=25)
@given(tied_spaces(), st.integers(0, 2**32))
def test_what_makes_genotypes_makes_those_that_keep_the_constraints(
    choices: Choices, seed: int
) -> None:
    allowed, rng = legal(choices), np.random.default_rng(seed)
    assert list(choices.enumerate()) == allowed
    assert choices.size == len(allowed)
    for _ in range(3):
        genotype = choices.sample(rng)
        assert genotype in allowed
        for index in choices.active(genotype):
            begun = genotype[:index]
            after = [g for g in allowed if g[:index] == begun and choices.is_active(index, g)]
            assert set(choices.allowed(index, begun)) == {g[index] for g in after}
            assert choices.completions((*begun, genotype[index])) == sum(
                g[index] == genotype[index] for g in after
            )
    for genes in rng.integers(choices.arities, size=(10, len(choices))).tolist():
        near = choices.nearest(genes)
        assert near in allowed
        canonical = Choices(choices).canonical(genes)
        if canonical in allowed:
            assert near == canonical == choices.canonical(genes)
        else:
            with pytest.raises(ValueError, match="a design must keep Constraint"):
                choices.canonical(genes)
        for index in Choices(choices).active(genes):
            kept = choices.nearest(genes, [index])
            had = any(g[index] == genes[index] and index in choices.active(g) for g in allowed)
            assert kept in allowed
            assert not had or (kept[index] == genes[index] and index in choices.active(kept))


def test_what_is_kept_draws_the_others_after_it() -> None:
    assert TIED.nearest((2, 0, 1)) == (2, 2, 2)
    assert TIED.nearest((2, 0, 1), kept=[1]) == (0, 0, 1)
    assert TIED.nearest((2, 0, 1), kept=[2, 1]) == (0, 0, 1)
    assert TIED.nearest((2, 0, 1), kept=[2]) == (1, 1, 1)
    assert TIED.complete({"stage1.width": 16}) == (0, 1, 1)
    assert TIED.complete({"stage0.width": 16}) == (1, 1, 1)


def test_samples_are_those_that_remain_of_samples_without_constraints() -> None:
    depth, wide = Choice("", "depth", (1, 2)), frozenset({2})
    choices = [
        depth,
        Choice("a", "width", (1, 2, 3)),
        Choice("b", "width", (1, 2, 3), ("depth", wide)),
    ]
    tied = Choices(choices, [Constraint(("a.width", "b.width"), le)])
    rng, free, count = np.random.default_rng(0), Choices(choices), 2000
    drawn = Counter(tied.sample(rng) for _ in range(count))
    # Of 9 genes of widths, all with a depth of 1 and 6 with a depth of 2 keep the constraint.
    for genotype in legal(tied):
        ways = sum(free.canonical(g) == genotype for g in every(free))
        assert drawn[genotype] / count == pytest.approx(ways / 15, abs=0.035)


def test_a_broken_constraint_is_told_with_names_and_values() -> None:
    for read in (TIED.canonical, TIED.decode):
        with pytest.raises(ValueError, match="a design must keep") as caught:
            read((0, 2, 1))
        assert str(caught.value) == (
            "a design must keep Constraint(le('stage1.width', 'stage2.width')), "
            "but got stage1.width = 24, stage2.width = 16"
        )
    with pytest.raises(ValueError, match=r"but got stage0.width = 24, stage1.width = 8"):
        TIED.encode({"stage0.width": 24, "stage1.width": 8, "stage2.width": 8})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constraint(("a.width",), le), "must name two or more different choices"),
        (lambda: Constraint(("a.width", "a.width"), le), "must name two or more different"),
        (lambda: Choices(WIDTHS, [Constraint(("stage0.width", "b"), le)]), r"but got \['b'\]"),
        (
            lambda: Choices(
                WIDTHS, [*GROWING, Constraint(("stage2.width", "stage0.width"), lambda a, b: a < b)]
            ),
            r"constraints must allow some design, but \[Constraint\(le",
        ),
        (
            lambda: Choices(
                [WIDTHS[0], Choice("", "op", ("a", "b"))], [Constraint(("stage0.width", "op"), le)]
            ),
            r"must say of all options whether it holds, but raised TypeError\(.*for \[8, 'a'\]",
        ),
        (
            lambda: Choices(
                [Choice(str(n), "width", tuple(range(10))) for n in range(6)],
                [Constraint(tuple(f"{n}.width" for n in range(6)), lambda *all_: sum(all_) < 9)],
            ),
            "at most 100,000 combinations of options, but .* has 1,000,000",
        ),
        (
            lambda: Choices(
                [Choice(str(n), "width", tuple(range(10))) for n in range(9)],
                [Constraint((f"{n}.width", f"{m}.width"), ne) for n in range(9) for m in range(n)],
            ),
            "constraints must tie few choices together",
        ),
    ],
)
def test_constraints_that_cannot_be_kept_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_the_digest_is_of_what_is_allowed() -> None:
    by_hand = [Constraint(each.names, lambda a, b: not a > b) for each in reversed(GROWING)]
    assert Choices(WIDTHS, by_hand).digest == TIED.digest
    others = [Choices(WIDTHS), Choices(WIDTHS, GROWING[:1])]
    others += [Choices(WIDTHS, [*GROWING[:1], Constraint(GROWING[1].names, eq)])]
    assert len({TIED.digest, *(other.digest for other in others)}) == 4


def test_copies_keep_the_constraints() -> None:
    for again in (copy.deepcopy(TIED), pickle.loads(pickle.dumps(TIED))):  # noqa: S301
        assert again == TIED
        assert again.digest == TIED.digest
        assert again.size == TIED.size == 10


def test_a_choice_is_active_with_any_of_several_conditions() -> None:
    wide, deep = ("width", frozenset({32})), ("depth", frozenset({2, 3}))
    plain = ("op", frozenset({"conv"}))
    choices = Choices(
        [
            Choice("", "op", ("conv", "pool")),
            Choice("", "width", (16, 32), plain),
            Choice("", "depth", (1, 2, 3)),
            Choice("", "prune", (0.0, 0.5), AnyOf((wide, (plain, deep)))),
        ]
    )
    active = {g: choices.decode(g) for g in choices.enumerate()}
    assert len(active) == choices.size == 3 + 1 + 2 * 2 + 3 * 2
    for design in active.values():
        conv = design["op"] == "conv"
        expected = conv and (design["width"] == 32 or design.integer("depth") > 1)
        assert ("prune" in design) == expected
    digest = choices.digest
    for same in (AnyOf(((deep, plain), wide)), AnyOf((wide, (plain, deep), wide))):
        assert Choices([*choices[:3], Choice("", "prune", (0.0, 0.5), same)]).digest == digest
    assert Choice("", "prune", (0.0,), AnyOf((wide,))).when == wide
    with pytest.raises(ValueError, match="at least one alternative"):
        AnyOf(())
    with pytest.raises(ValueError, match=r"'when' of 'prune' .* name each choice once"):
        Choice("", "prune", (0.0,), (wide, wide))
