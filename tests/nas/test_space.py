import copy
import os
import pickle
import subprocess
import sys
from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.space import Choice, Choices, Genotype
from tests.nas.spaces import CONV, every, genotypes, meant, spaces


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


def test_every_canonical_genotype_is_enumerated_once_in_lexicographic_order() -> None:
    choices = Choices(
        [
            Choice("", "depth", (1, 2)),
            Choice("a", "op", ("skip", "conv", "pool"), ("depth", frozenset({2}))),
            Choice("a", "width", (8, 16), ("a.op", frozenset({"conv"}))),
            Choice("", "bits", (4, 8)),
        ]
    )
    genotypes = list(choices.enumerate())
    assert len(genotypes) == choices.size == 10
    assert genotypes == sorted(set(genotypes))
    assert all(choices.canonical(genotype) == genotype for genotype in genotypes)


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


BOTH = Choices(
    [
        Choice("", "op", ("conv", "pool")),
        Choice("", "depth", (1, 2)),
        Choice(
            "block1",
            "width",
            (8, 16, 32),
            (("op", frozenset({"conv"})), ("depth", frozenset({2}))),
        ),
        Choice("block1", "bits", (4, 8), ("block1.width", frozenset({16, 32}))),
    ]
)


def test_several_conditions_must_all_hold() -> None:
    assert BOTH.size == 3 + (1 + 2 * 2)
    active = {genes: BOTH.active((*genes, 1, 1)) for genes in product((0, 1), repeat=2)}
    assert active == {(0, 0): (0, 1), (0, 1): (0, 1, 2, 3), (1, 0): (0, 1), (1, 1): (0, 1)}


@settings(deadline=None)
@given(spaces())
def test_completions_are_the_designs_that_begin_so(choices: Choices) -> None:
    designs = list(choices.enumerate())
    for length in range(len(choices) + 1):
        begun = Counter(genotype[:length] for genotype in designs)
        assert {genes: choices.completions(genes) for genes in begun} == begun


def test_conditions_have_no_order_and_one_alone_is_as_before() -> None:
    one, two = ("op", frozenset({"conv"})), ("depth", frozenset({2}))
    assert Choice("a", "b", (1, 2), (one, two)) == Choice("a", "b", (1, 2), (two, one))
    assert Choice("a", "b", (1, 2), (one,)).when == one
    assert Choice("a", "b", (1, 2), ()).when is None
    with pytest.raises(ValueError, match="must name each choice once, but got"):
        Choice("a", "b", (1, 2), (one, ("op", frozenset({"pool"}))))
