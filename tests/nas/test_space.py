import copy
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.space import Choice, Choices, Design, Genotype

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
    several levels.
    """
    choices: list[Choice] = []
    for index in range(draw(st.integers(1, 6))):
        when, hangs = None, draw(st.booleans()) or draw(st.booleans())
        if choices and hangs:
            parent = choices[-1] if draw(st.booleans()) else draw(st.sampled_from(choices))
            when = parent.name, draw(st.frozensets(st.sampled_from(parent.options), min_size=1))
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
        if choice.when is None or (
            choice.when[0] in design and design[choice.when[0]] in choice.when[1]
        ):
            design[choice.name] = choice.options[gene]
    return design


def every(choices: Choices) -> Iterator[Genotype]:
    return product(*map(range, choices.arities))


@settings(deadline=None)  # a busy machine is no failure
@given(genotypes())
def test_a_design_names_the_option_of_each_active_choice_in_order(
    given: tuple[Choices, Genotype],
) -> None:
    choices, genotype = given
    assert list(choices.decode(genotype).items()) == list(meant(choices, genotype).items())
    assert [choices[index].name for index in choices.active(genotype)] == list(
        meant(choices, genotype)
    )


@settings(deadline=None)
@given(genotypes())
def test_encoding_undoes_decoding_up_to_inactive_genes(given: tuple[Choices, Genotype]) -> None:
    choices, genotype = given
    canonical = choices.canonical(genotype)
    assert choices.encode(choices.decode(genotype)) == canonical
    assert choices.decode(canonical) == choices.decode(genotype)
    assert choices.canonical(canonical) == canonical
    active = choices.active(genotype)
    assert canonical == tuple(gene if index in active else 0 for index, gene in enumerate(genotype))


@settings(deadline=None)
@given(spaces())
def test_designs_are_equal_exactly_when_their_canonical_genotypes_are(choices: Choices) -> None:
    designs = {
        choices.canonical(genotype): frozenset(meant(choices, genotype).items())
        for genotype in every(choices)
    }
    for genotype in every(choices):
        assert frozenset(meant(choices, genotype).items()) == designs[choices.canonical(genotype)]
    assert len(set(designs.values())) == len(designs) == choices.size


def test_the_size_of_a_huge_space_is_exact() -> None:
    assert CONV.size == (1 + 2 * (1 + 2 * (1 + 3))) * (1 + 2)
    assert (
        Choices([Choice(f"layer{index}", "op", tuple(range(10))) for index in range(50)]).size
        == 10**50
    )


def test_conditions_may_be_chained_deeper_than_python_recurses() -> None:
    depth = 3 * sys.getrecursionlimit() // 2
    choices = Choices(
        [
            Choice(
                str(n), "more", (False, True), (f"{n - 1}.more", frozenset({True})) if n else None
            )
            for n in range(depth)
        ]
    )
    assert choices.size == depth + 1
    assert choices.active([1] * depth) == tuple(range(depth))
    assert choices.canonical([1, 1, 0, *[1] * (depth - 3)]) == (1, 1, *[0] * (depth - 2))


def test_genotypes_of_any_sequence_become_tuples_of_plain_ints() -> None:
    for genotype in (
        [1, 0, 1, 2, 0, 1],
        np.array([1, 0, 1, 2, 0, 1]),
        np.array([1, 0, 1, 2, 0, 1], np.uint8),
    ):
        for found in (CONV.check(genotype), CONV.canonical(genotype)):  # type: ignore[arg-type]
            assert isinstance(found, tuple)
            assert {type(gene) for gene in found} == {int}
        assert CONV.canonical(genotype) == (1, 0, 0, 0, 0, 0)  # type: ignore[arg-type]


@settings(deadline=None)
@given(spaces(), st.integers(0, 2**32))
def test_samples_are_canonical_and_their_generator_decides_them(
    choices: Choices, seed: int
) -> None:
    one, two = np.random.default_rng(seed), np.random.default_rng(seed)
    samples = [choices.sample(one) for _ in range(3)]
    assert (
        samples
        == [choices.canonical(sample) for sample in samples]
        == [choices.sample(two) for _ in range(3)]
    )
    assert {type(gene) for sample in samples for gene in sample} == {int}


def test_every_active_choice_is_sampled_uniformly() -> None:
    rng = np.random.default_rng(0)
    designs = [CONV.decode(CONV.sample(rng)) for _ in range(6000)]
    for choice in CONV:
        found = Counter(design[choice.name] for design in designs if choice.name in design)
        assert set(found) == set(choice.options)
        expected = found.total() / len(choice.options)
        # The chi-squared statistic, for which 14 is exceeded by chance once in a thousand times.
        assert sum((count - expected) ** 2 / expected for count in found.values()) < 14


def changed(index: int, **parts: Any) -> Choices:
    old = CONV[index]
    new = {"site": old.site, "kind": old.kind, "options": old.options, "when": old.when, **parts}
    return Choices([*CONV[:index], Choice(**new), *CONV[index + 1 :]])


def test_the_digest_changes_with_every_part_of_a_space_and_with_nothing_else() -> None:
    others = [
        changed(5, site="tail"),
        changed(5, kind="step"),
        changed(5, options=(4,)),
        changed(5, options=(8, 4)),
        changed(5, options=(4, 8, 6)),
        changed(5, options=(4.0, 8)),
        changed(5, options=("4", 8)),
        changed(4, options=(True, 2)),
        changed(5, options=((4,), 8)),
        changed(5, when=None),
        changed(5, when=("depth", frozenset({1}))),
        changed(5, when=("depth", frozenset({1, 2}))),
        changed(5, when=("stage.width", frozenset({8}))),
        Choices(CONV[:5]),
        Choices([*CONV, Choice("neck", "bits", (4, 8))]),
        Choices([CONV[4], *CONV[:4], CONV[5]]),
        Choices([Choice("a", "b", ("c", "d"))]),
        Choices([Choice("a", "b", ("c, d",))]),
        Choices([Choice("a.b", "b", ("c", "d"))]),
    ]
    assert len({CONV.digest, *(other.digest for other in others)}) == len(others) + 1
    assert Choices(list(CONV)).digest == changed(4).digest == CONV.digest
    reordered = frozenset(["dwconv", "conv"]), frozenset(["conv", "dwconv"])
    assert len({changed(1, when=("stage.op", values)).digest for values in reordered}) == 1


def test_the_digest_is_the_same_in_every_process() -> None:
    program = """
from nas.space import Choice, Choices
options = ("conv", "skip", "größe", None, True, 2, 0.1, ("a", 1))
print(Choices([Choice("s", "op", options), Choice("s", "width", (1,), ("s.op", frozenset(options)))]).digest)
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert found == {b"70c963a548f152fe"}


def test_copies_and_pickles_are_equal_and_work() -> None:
    assert CONV.size == 57  # a cached value travels along, or is found again
    copies = [copy.copy(CONV), copy.deepcopy(CONV)]
    for twin in copies + [
        pickle.loads(pickle.dumps(CONV, protocol))  # noqa: S301
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]:
        assert isinstance(twin, Choices)
        assert (twin, twin.size, twin.digest) == (CONV, CONV.size, CONV.digest)
        assert twin.encode(twin.decode((1, 2, 1, 1, 1, 1))) == (1, 2, 1, 1, 1, 1)


def test_choices_may_be_given_by_an_iterator() -> None:
    assert Choices(iter(CONV)) == CONV


def test_names_join_site_and_kind() -> None:
    for site, kind, name in (
        ("", "depth", "depth"),
        ("a", "bits", "a.bits"),
        ("a.b", "bits", "a.b.bits"),
    ):
        assert Choice(site, kind, (1,)).name == name


def test_invalid_choices() -> None:
    for site, kind, options, message in (
        ("a", "", (1,), "the kind of a choice must be a name without dots, but got '' at site 'a'"),
        (
            "a",
            "b.c",
            (1,),
            "the kind of a choice must be a name without dots, but got 'b.c' at site 'a'",
        ),
        ("a", "op", (), "a choice must have at least one option, but 'a.op' has none"),
        (
            "a",
            "op",
            ("x", "y", "x"),
            "the options of 'a.op' must differ from one another, but got ('x', 'y', 'x')",
        ),
        (
            "",
            "bits",
            (1, 1.0),
            "the options of 'bits' must differ from one another, but got (1, 1.0)",
        ),
        (
            "",
            "bits",
            (1, True),
            "the options of 'bits' must differ from one another, but got (1, True)",
        ),
    ):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            Choice(site, kind, options)
        assert str(caught.value) == message


def test_invalid_spaces() -> None:
    op, width = Choice("a", "op", ("x", "y")), Choice("a", "width", (8, 16))

    def hanging(name: str, *values: Hashable) -> Choice:
        return Choice("b", "op", (1, 2), (name, frozenset(values)))

    for choices, message in (
        ([], "a space must have at least one choice, but got none"),
        ([op, width, op], "the names of choices must be unique, but 'a.op' appears twice"),
        (
            [op, Choice("", "op", (1,)), Choice("a", "op", (3,))],
            "the names of choices must be unique, but 'a.op' appears twice",
        ),
        (
            [op, hanging("c", "x")],
            "'when' of 'b.op' must name an earlier choice of ('a.op',), but got 'c'",
        ),
        (
            [hanging("a.op", "x"), op],
            "'when' of 'b.op' must name an earlier choice of (), but got 'a.op'",
        ),
        (
            [hanging("b.op", 1)],
            "'when' of 'b.op' must name an earlier choice of (), but got 'b.op'",
        ),
        (
            [op, hanging("a.op", "z")],
            "'when' of 'b.op' must list options of 'a.op', ('x', 'y'), but got {'z'}",
        ),
        (
            [op, hanging("a.op")],
            "'when' of 'b.op' must list options of 'a.op', ('x', 'y'), but got set()",
        ),
    ):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            Choices(choices)
        assert str(caught.value) == message


def test_invalid_genotypes() -> None:
    for genotype, message in (
        ((), "a genotype of this space must have 6 genes, but got 0"),
        ((0,) * 7, "a genotype of this space must have 6 genes, but got 7"),
        ((0, 0, 2, 0, 0, 0), "the gene of 'stage.prune' must be in 0 … 1, but got 2"),
        ((0, 0, 0, 0, 0, -1), "the gene of 'head.bits' must be in 0 … 1, but got -1"),
        ((float("nan"), 0, 0, 0, 0, 0), "the gene of 'stage.op' must be in 0 … 2, but got nan"),
    ):
        for read in (CONV.check, CONV.canonical, CONV.decode):
            with pytest.raises(ValueError) as caught:  # noqa: PT011
                read(genotype)  # type: ignore[arg-type]
            assert str(caught.value) == message
    with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer"):
        CONV.canonical([0.5, 0, 0, 0, 0, 0])  # type: ignore[list-item]


def test_invalid_designs() -> None:
    small = Design({"stage.op": "skip", "depth": 1})
    assert CONV.encode(small) == (0,) * 6
    for design, message in (
        (
            {"depth": 1},
            "the design must give 'stage.op', one of ('skip', 'conv', 'dwconv'), but gives only ('depth',)",
        ),
        (
            {**small, "depth": 2},
            "the design must give 'head.bits', one of (4, 8), but gives only ('stage.op', 'depth')",
        ),
        ({**small, "depth": 3}, "'depth' must be one of (1, 2), but got 3"),
        ({**small, "depth": [1]}, "'depth' must be one of (1, 2), but got [1]"),
        (
            {**small, "stage.width": 8},
            "the design must give only active choices, but also gives ['stage.width']",
        ),
        (
            {**small, "z": 1, "head.bits": 4},
            "the design must give only active choices, but also gives ['head.bits', 'z']",
        ),
    ):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            CONV.encode(design)
        assert str(caught.value) == message


@pytest.mark.parametrize("option", [frozenset({1}), print, b"x", (1, (2, frozenset()))])
def test_an_option_that_looks_different_in_another_process_is_refused(option: Hashable) -> None:
    with pytest.raises(
        ValueError,
        match=r"options must be strings, numbers, booleans, None or tuples of these, but .s\.op. has",
    ):
        Choice("s", "op", ("plain", option))


def test_a_design_reads_as_what_its_options_are() -> None:
    design = Design({"width": 8, "ratio": 0.5, "op": "conv", "drop": True, "depth": 2})
    assert (design.integer("width"), design.text("op"), design.flag("drop")) == (8, "conv", True)
    assert (design.number("ratio"), design.number("depth")) == (0.5, 2.0)
    assert isinstance(design.number("depth"), float)
    assert design == {"width": 8, "ratio": 0.5, "op": "conv", "drop": True, "depth": 2}
    assert repr(Design({"width": 8})) == "Design({'width': 8})"


@pytest.mark.parametrize(
    ("reader", "name", "message"),
    [
        (Design.integer, "ratio", "'ratio' must be a whole number, but is 0.5"),
        (Design.integer, "drop", "'drop' must be a whole number, but is True"),
        (Design.number, "op", "'op' must be a number, but is 'conv'"),
        (Design.number, "drop", "'drop' must be a number, but is True"),
        (Design.text, "width", "'width' must be a string, but is 8"),
        (Design.flag, "width", "'width' must be True or False, but is 8"),
    ],
)
def test_a_design_refuses_to_read_an_option_as_what_it_is_not(
    reader: Callable[[Design, str], object], name: str, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        reader(Design({"width": 8, "ratio": 0.5, "op": "conv", "drop": True}), name)


def test_a_design_is_frozen_and_keeps_no_link_to_what_it_was_made_of() -> None:
    options = {"width": 8}
    design = Design(options)
    options["width"] = 9
    assert design["width"] == 8
    with pytest.raises(TypeError, match="does not support item assignment"):
        design["width"] = 9  # type: ignore[index]
