from collections.abc import Hashable

import pytest

from nas.space import Choice, Choices, Design
from tests.nas.spaces import CONV


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
