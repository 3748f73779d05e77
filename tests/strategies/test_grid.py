from itertools import product

import numpy as np
import pytest

from nas.space import Choice, Choices, Genotype
from strategies.grid import Grid

CONDITIONAL = Choices(
    [
        Choice("", "depth", (1, 2, 3)),
        Choice("a", "op", ("skip", "conv", "dw"), ("depth", frozenset({2, 3}))),
        Choice("a", "width", (8, 16, 24, 32), ("a.op", frozenset({"conv", "dw"}))),
        Choice("b", "op", ("skip", "conv"), ("depth", frozenset({3}))),
        Choice("b", "bits", (2, 4, 8), ("b.op", frozenset({"conv"}))),
        Choice("", "stem", ("plain",)),
        Choice("head", "bits", (2, 8)),
    ]
)
SPACES = {
    "conditional": CONDITIONAL,
    "flat": Choices([Choice(f"stage{i}", "op", tuple(range(2 + i))) for i in range(4)]),
    "one choice": Choices([Choice("", "op", tuple(range(7)))]),
    "one design": Choices([Choice("", "op", ("a",))]),
}


def asked(choices: Choices, count: int, seed: int = 0) -> list[Genotype]:
    strategy = Grid(choices, np.random.default_rng(seed))
    return [strategy.ask().genotype for _ in range(count)]


@pytest.mark.parametrize("choices", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("seed", range(5))
def test_every_design_is_proposed_once_per_cycle(choices: Choices, seed: int) -> None:
    everything = {choices.canonical(genotype) for genotype in product(*map(range, choices.arities))}
    genotypes = asked(choices, choices.size + 3, seed)
    assert set(genotypes[: choices.size]) == everything
    assert len(everything) == choices.size
    assert genotypes[choices.size :] == genotypes[: min(3, choices.size)] or choices.size < 3


def test_the_first_proposals_have_each_option_of_the_first_choices_equally_often() -> None:
    choices = Choices([Choice(f"stage{i}", "op", ("a", "b", "c")) for i in range(40)])
    genes = np.array(asked(choices, 81))
    for count in (3, 9, 27, 81):
        index = round(np.log(count) / np.log(3))
        assert len({tuple(row) for row in genes[:count, :index]}) == count, (
            "the first choices in all combinations"
        )
    for option in range(3):
        assert ((genes == option).mean(0) > 0.15).all(), "and the later ones vary"
    assert len({tuple(column) for column in genes.T}) == 40


def test_options_with_few_designs_alternate_until_they_are_exhausted() -> None:
    genotypes = asked(CONDITIONAL, 6)
    assert sorted(genotype[0] for genotype in genotypes) == [0, 0, 1, 1, 2, 2]
    later = asked(CONDITIONAL, CONDITIONAL.size)[6:]
    assert {genotype[0] for genotype in later[2:]} == {1, 2}, "of depth 1 there are two designs"


def test_a_vast_space_is_not_enumerated() -> None:
    choices = Choices([Choice(f"stage{i}", "op", ("a", "b", "c", "d", "e")) for i in range(40)])
    assert choices.size > 10**20
    assert len(set(asked(choices, 1000))) == 1000


def test_different_seeds_give_different_orders() -> None:
    assert len({tuple(asked(CONDITIONAL, 5, seed)) for seed in range(10)}) > 5
