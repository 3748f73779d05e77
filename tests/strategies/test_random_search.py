import numpy as np

from nas.space import Choice, Choices
from strategies.random_search import RandomSearch


def test_designs_differ_until_the_space_is_exhausted() -> None:
    choices = Choices(
        [
            Choice("", "op", ("skip", "conv")),
            Choice("", "width", tuple(range(19)), ("op", frozenset({"conv"}))),
        ]
    )
    strategy = RandomSearch(choices, np.random.default_rng(0))
    asked = [strategy.ask().genotype for _ in range(choices.size)]
    assert len(set(asked)) >= choices.size - 1, (
        "100 redraws almost always find the last of 20 designs"
    )
    assert strategy.ask().genotype in asked


def test_every_option_of_every_choice_is_equally_likely() -> None:
    choices = Choices([Choice(f"stage{i}", "bits", (2, 4, 8)) for i in range(10)])
    strategy = RandomSearch(choices, np.random.default_rng(0))
    genes = np.array([strategy.ask().genotype for _ in range(600)])
    for option in range(3):
        np.testing.assert_allclose((genes == option).mean(0), 1 / 3, atol=0.08)
