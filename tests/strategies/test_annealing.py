import math

import numpy as np
import pytest

from nas.space import Choice, Choices, Genotype
from nas.strategy import Proposal
from strategies.annealing import Annealing

CHOICES = Choices([Choice(f"stage{i}", "width", tuple(range(6))) for i in range(8)])


def moved(strategy: Annealing, to: Genotype, score: float) -> bool:
    """Whether the walk goes on from a candidate that it is told."""
    strategy.tell(Proposal(to), (score,))
    children = [strategy.ask().genotype for _ in range(4)]
    return all(sum(a != b for a, b in zip(to, child, strict=True)) == 1 for child in children)


def walking(losses: list[float], told: int = 0, cooling: float = 0.9, seed: int = 0) -> Annealing:
    """A walk at a candidate of fitness 0.5 that has seen these losses, and then as many equals."""
    strategy = Annealing(CHOICES, np.random.default_rng(seed), cooling, starts=1)
    strategy.tell(Proposal((0,) * 8), (0.5,))
    for loss in losses:
        strategy.tell(Proposal((1,) * 8), (0.5 - loss,))
        strategy.tell(Proposal((0,) * 8), (0.5,))
    for _ in range(told):
        strategy.tell(Proposal((0,) * 8), (0.5,))
    return strategy


def accepted(loss: float, losses: list[float], told: int = 0, cooling: float = 0.9) -> float:
    return float(
        np.mean(
            [
                moved(walking(losses, told, cooling, seed), (5,) * 8, 0.5 - loss)
                for seed in range(200)
            ]
        )
    )


def test_better_and_equal_candidates_are_moved_to() -> None:
    assert moved(walking([]), (5,) * 8, 0.6)
    assert moved(walking([]), (5,) * 8, 0.5)


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_losses_are_accepted_by_how_large_they_are_against_the_usual_one(scale: float) -> None:
    usual = [0.1 * scale] * 3
    # Seven results of eight choices make seven eighths of a sweep.
    for loss in (0.02, 0.1, 0.3):
        expected = math.exp(-loss / (0.1 * 0.9 ** (8 / 8)))
        assert accepted(loss * scale, usual) == pytest.approx(expected, abs=0.1)


def test_a_few_huge_losses_do_not_heat_the_walk() -> None:
    assert accepted(0.1, [0.01, 0.01, 0.01, 0.4]) < 0.05


def test_it_cools_by_the_share_of_a_sweep() -> None:
    assert accepted(0.1, [0.1] * 3, told=20, cooling=0.8) == pytest.approx(
        math.exp(-1 / 0.8 ** (28 / 8)), abs=0.09
    )
    assert accepted(0.1, [0.1] * 3, told=80, cooling=0.5) == 0


def test_what_meets_the_budget_is_never_left_for_what_does_not() -> None:
    assert not any(moved(walking([0.9] * 3, seed=seed), (5,) * 8, -0.001) for seed in range(50))


def test_what_breaks_the_budget_less_is_moved_to_and_its_scale_is_forgotten() -> None:
    left = 0
    for seed in range(20):
        strategy = Annealing(CHOICES, np.random.default_rng(seed), starts=1)
        for _ in range(20):  # before it gives up to find one within the budget
            strategy.tell(Proposal((0,) * 8), (-0.1,))
        for _ in range(5):
            strategy.tell(Proposal((1,) * 8), (-1.0,))
            strategy.tell(Proposal((2,) * 8), (-0.05,))
        assert moved(strategy, (3,) * 8, 0.5)
        for _ in range(3):
            strategy.tell(Proposal((4,) * 8), (0.5 - 1e-3,))
            strategy.tell(Proposal((3,) * 8), (0.5,))
        left += moved(strategy, (5,) * 8, 0.3)
    assert left == 0, (
        "0.2 is much against 0.001, and little against the 0.9 by which the budget was broken"
    )


def test_a_frozen_walk_is_followed_by_a_hot_one_from_elsewhere() -> None:
    losses = [0.1] * 3
    strategy = walking(losses, told=80, cooling=0.5)
    around = set()
    while True:
        genotype = strategy.ask().genotype
        if sum(gene != 0 for gene in genotype) > 1:
            break
        around.add(genotype)
        strategy.tell(Proposal(genotype), (0.1,))
    assert len(around) > 30, "of the 40 neighbors most were tried"
    strategy.tell(Proposal(genotype), (0.3,))
    assert moved(strategy, (5,) * 8, 0.3 - 1e-3), (
        "it is worse than before and lost, but the new walk takes it"
    )


def test_a_walk_starts_at_the_best_of_some_within_the_budget() -> None:
    strategy = Annealing(CHOICES, np.random.default_rng(0), starts=3)
    for gene, score in enumerate((0.2, -0.1, 0.6, -0.2)):
        strategy.tell(Proposal((gene,) * 8), (score,))
    first = strategy.ask().genotype
    assert sum(gene != 2 for gene in first) > 1, "two are within, and a third is awaited"
    strategy.tell(Proposal((5,) * 8), (0.3,))
    assert sum(gene != 2 for gene in strategy.ask().genotype) == 1


def test_a_step_over_the_budget_is_followed_by_another_one() -> None:
    strategy = walking([])
    over = strategy.ask().genotype
    strategy.tell(Proposal(over), (-0.1,))
    beyond = strategy.ask().genotype
    assert sum(a != b for a, b in zip(over, beyond, strict=True)) == 1
    strategy.tell(Proposal(beyond), (0.7,))
    assert sum(a != b for a, b in zip(beyond, strategy.ask().genotype, strict=True)) == 1, (
        "it is better, and moved to"
    )


def test_a_number_of_starts_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="from at least 1 random candidate, but got 0"):
        Annealing(CHOICES, np.random.default_rng(0), starts=0)


@pytest.mark.parametrize("cooling", [0.0, 1.0, -0.5, math.nan])
def test_a_cooling_out_of_range_is_refused(cooling: float) -> None:
    with pytest.raises(ValueError, match=f"cooling must be above 0 and below 1, but got {cooling}"):
        Annealing(CHOICES, np.random.default_rng(0), cooling)
