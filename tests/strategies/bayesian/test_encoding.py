import numpy as np
import pytest

from nas.space import Choice, Choices
from strategies.bayesian.encoding import Encoding, genotypes

CHOICES = Choices(
    [
        Choice("", "depth", (1, 2, 3)),
        Choice("", "stem", ("plain",)),
        Choice("s", "op", ("skip", "conv"), ("depth", frozenset({2, 3}))),
        Choice("s", "width", (8, 16, 24, 32), ("s.op", frozenset({"conv"}))),
    ]
)
ENCODING = Encoding(CHOICES)


def test_activity_and_canonical_genes_agree_with_the_space() -> None:
    rng = np.random.default_rng(0)
    raw = rng.integers(CHOICES.arities, size=(200, 4))
    for genes, active, canonical in zip(
        raw.tolist(), ENCODING.active(raw), ENCODING.canonical(raw).tolist(), strict=True
    ):
        assert tuple(np.flatnonzero(active)) == CHOICES.active(genes)
        assert tuple(canonical) == CHOICES.canonical(genes)


def test_distances_are_shares_of_choices_that_differ() -> None:
    #          equal         one option differs  one choice is inactive, then two
    others = [(2, 0, 1, 3), (2, 0, 1, 0), (2, 0, 0, 0), (0, 0, 0, 0)]
    features = ENCODING.features(ENCODING.genes(others))
    distances = ((features - features[0]) ** 2).sum(1)
    assert distances == pytest.approx([0, 1 / 4, (1 + 0.5) / 4, (1 + 0.5 + 0.5) / 4])


def test_mutants_are_canonical_and_take_one_other_option() -> None:
    parent = (1, 0, 1, 2)
    mutants = set(
        genotypes(ENCODING.mutate(ENCODING.genes([parent] * 300), np.random.default_rng(0)))
    )
    changed = {(0, 0, 0, 0), (1, 0, 0, 0), (2, 0, 1, 2), *((1, 0, 1, width) for width in (0, 1, 3))}
    assert mutants == changed


def test_choices_that_become_active_are_drawn() -> None:
    mutants = set(
        genotypes(ENCODING.mutate(ENCODING.genes([(1, 0, 0, 0)] * 300), np.random.default_rng(0)))
    )
    assert {(1, 0, 1, width) for width in range(4)} <= mutants


def test_a_genotype_without_alternatives_is_its_own_mutant() -> None:
    encoding = Encoding(Choices([Choice("", "op", ("only",))]))
    assert genotypes(encoding.mutate(encoding.genes([(0,)]), np.random.default_rng(0))) == [(0,)]


def test_samples_reach_every_design() -> None:
    assert len(set(genotypes(ENCODING.sample(np.random.default_rng(0), 2000)))) == CHOICES.size
