import math

import numpy as np
import pytest

from nas.space import Choice, Choices, Genotype
from nas.strategy import Proposal
from strategies.annealing import Annealing

CHOICES = Choices([Choice(f"stage{i}", "width", tuple(range(6))) for i in range(8)])


def accepts(strategy: Annealing, to: Genotype, score: float) -> bool:
    """Whether the chain accepts a candidate: the next proposals are its neighbors."""
    strategy.tell(Proposal(to), (score,))
    children = [strategy.ask().genotype for _ in range(4)]
    return all(sum(a != b for a, b in zip(to, child, strict=True)) == 1 for child in children)


def annealed(
    losses: list[float], results: int = 0, cooling: float = 0.9, seed: int = 0
) -> Annealing:
    """A chain at a score of 0.5 after rejected or accepted losses, then `results` equal scores."""
    strategy = Annealing(CHOICES, np.random.default_rng(seed), cooling, starts=1)
    strategy.tell(Proposal((0,) * 8), (0.5,))
    for loss in losses:
        strategy.tell(Proposal((1,) * 8), (0.5 - loss,))
        strategy.tell(Proposal((0,) * 8), (0.5,))
    for _ in range(results):
        strategy.tell(Proposal((0,) * 8), (0.5,))
    return strategy


def acceptance_rate(
    loss: float, losses: list[float], results: int = 0, cooling: float = 0.9
) -> float:
    return float(
        np.mean(
            [
                accepts(annealed(losses, results, cooling, seed), (5,) * 8, 0.5 - loss)
                for seed in range(200)
            ]
        )
    )


def test_better_and_equal_candidates_are_accepted() -> None:
    assert accepts(annealed([]), (5,) * 8, 0.6)
    assert accepts(annealed([]), (5,) * 8, 0.5)


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_losses_are_accepted_by_their_size_relative_to_the_median(scale: float) -> None:
    usual = [0.1 * scale] * 3
    # Three losses, three returns and the candidate: seven of the eight results of a sweep.
    for loss in (0.02, 0.1, 0.3):
        expected = math.exp(-loss / (0.1 * 0.9 ** (8 / 8)))
        assert acceptance_rate(loss * scale, usual) == pytest.approx(expected, abs=0.1)


def test_a_few_huge_losses_do_not_raise_the_temperature() -> None:
    assert acceptance_rate(0.1, [0.01, 0.01, 0.01, 0.4]) < 0.05


def test_the_temperature_falls_by_the_cooling_per_sweep() -> None:
    assert acceptance_rate(0.1, [0.1] * 3, results=20, cooling=0.8) == pytest.approx(
        math.exp(-1 / 0.8 ** (28 / 8)), abs=0.09
    )
    assert acceptance_rate(0.1, [0.1] * 3, results=80, cooling=0.5) == 0


def test_a_feasible_state_is_never_left_for_an_infeasible_one() -> None:
    assert not any(accepts(annealed([0.9] * 3, seed=seed), (5,) * 8, -0.001) for seed in range(50))


def test_a_smaller_excess_is_accepted_and_its_scale_is_forgotten() -> None:
    left = 0
    for seed in range(20):
        strategy = Annealing(CHOICES, np.random.default_rng(seed), starts=1)
        for _ in range(20):  # completes an initial population without feasible members
            strategy.tell(Proposal((0,) * 8), (-0.1,))
        for _ in range(5):
            strategy.tell(Proposal((1,) * 8), (-1.0,))
            strategy.tell(Proposal((2,) * 8), (-0.05,))
        assert accepts(strategy, (3,) * 8, 0.5)
        for _ in range(3):
            strategy.tell(Proposal((4,) * 8), (0.5 - 1e-3,))
            strategy.tell(Proposal((3,) * 8), (0.5,))
        left += accepts(strategy, (5,) * 8, 0.3)
    assert left == 0, (
        "0.2 is large compared with 0.001, and small compared with differences in excess of 0.9"
    )


def test_a_frozen_chain_restarts_hot_and_elsewhere() -> None:
    losses = [0.1] * 3
    strategy = annealed(losses, results=80, cooling=0.5)
    around = set()
    while True:
        genotype = strategy.ask().genotype
        if sum(gene != 0 for gene in genotype) > 1:
            break
        around.add(genotype)
        strategy.tell(Proposal(genotype), (0.1,))
    assert len(around) > 30, "of the 40 neighbors most were tried"
    strategy.tell(Proposal(genotype), (0.3,))
    assert accepts(strategy, (5,) * 8, 0.3 - 1e-3), "the frozen chain would have rejected it"


def test_a_chain_starts_at_the_best_of_the_feasible_starts() -> None:
    strategy = Annealing(CHOICES, np.random.default_rng(0), starts=3)
    for gene, score in enumerate((0.2, -0.1, 0.6, -0.2)):
        strategy.tell(Proposal((gene,) * 8), (score,))
    first = strategy.ask().genotype
    assert sum(gene != 2 for gene in first) > 1, "two are feasible, and a third is missing"
    strategy.tell(Proposal((5,) * 8), (0.3,))
    assert sum(gene != 2 for gene in strategy.ask().genotype) == 1


def test_an_infeasible_mutation_is_mutated_again() -> None:
    strategy = annealed([])
    over = strategy.ask().genotype
    strategy.tell(Proposal(over), (-0.1,))
    beyond = strategy.ask().genotype
    assert sum(a != b for a, b in zip(over, beyond, strict=True)) == 1
    strategy.tell(Proposal(beyond), (0.7,))
    assert sum(a != b for a, b in zip(beyond, strategy.ask().genotype, strict=True)) == 1, (
        "it is better, and accepted"
    )


def test_a_number_of_starts_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="from at least 1 random candidate, but got 0"):
        Annealing(CHOICES, np.random.default_rng(0), starts=0)


@pytest.mark.parametrize("cooling", [0.0, 1.0, -0.5, math.nan])
def test_a_cooling_out_of_range_is_refused(cooling: float) -> None:
    with pytest.raises(ValueError, match=f"cooling must be above 0 and below 1, but got {cooling}"):
        Annealing(CHOICES, np.random.default_rng(0), cooling)
