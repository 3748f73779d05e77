import math

import numpy as np
import pytest

from nas.search import Proposal
from nas.space import Choice, Choices, Genotype
from strategies.annealing import Annealing

CHOICES = Choices([Choice(f"stage{i}", "width", tuple(range(6))) for i in range(8)])


def moved(strategy: Annealing, to: Genotype, score: float) -> bool:
    """Whether the walk goes on from a candidate that it is told."""
    strategy.tell(Proposal(to), (score,))
    children = [strategy.ask().genotype for _ in range(4)]
    return all(sum(a != b for a, b in zip(to, child, strict=True)) == 1 for child in children)


def walking(losses: list[float], told: int = 0, cooling: float = 0.9, seed: int = 0) -> Annealing:
    """A walk at a candidate of fitness 0.5 that has seen these losses, and then as many equals."""
    strategy = Annealing(CHOICES, np.random.default_rng(seed), cooling)
    strategy.tell(Proposal((0,) * 8), (0.5,))
    for loss in losses:
        strategy.tell(Proposal((1,) * 8), (0.5 - loss,))
        strategy.tell(Proposal((0,) * 8), (0.5,))
    for _ in range(told):
        strategy.tell(Proposal((0,) * 8), (0.5,))
    return strategy


def accepted(loss: float, losses: list[float], told: int = 0, cooling: float = 0.9) -> float:
    return float(np.mean([moved(walking(losses, told, cooling, seed), (5,) * 8, 0.5 - loss) for seed in range(200)]))


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
    assert accepted(0.1, [0.1] * 3, told=80, cooling=0.9) == pytest.approx(math.exp(-1 / 0.9**11), abs=0.1)
    assert accepted(0.1, [0.1] * 3, told=80, cooling=0.5) == 0


def test_what_meets_the_budget_is_never_left_for_what_does_not() -> None:
    assert not any(moved(walking([0.9] * 3, seed=seed), (5,) * 8, -0.001) for seed in range(50))


def test_what_breaks_the_budget_less_is_moved_to_and_its_scale_is_forgotten() -> None:
    strategy = Annealing(CHOICES, np.random.default_rng(0))
    strategy.tell(Proposal((0,) * 8), (-0.5,))
    assert moved(strategy, (1,) * 8, -0.4)
    strategy.tell(Proposal((0,) * 8), (-1.0,))
    strategy.tell(Proposal((2,) * 8), (-0.3,))
    assert moved(strategy, (3,) * 8, 0.5)
    for _ in range(3):
        strategy.tell(Proposal((4,) * 8), (0.5 - 1e-3,))
        strategy.tell(Proposal((3,) * 8), (0.5,))
    assert not moved(strategy, (5,) * 8, 0.4)


def test_a_walk_whose_neighbours_are_all_known_goes_further_away() -> None:
    choices = Choices([Choice(f"stage{i}", "op", ("a", "b")) for i in range(6)])
    strategy = Annealing(choices, np.random.default_rng(0))
    strategy.tell(Proposal((0,) * 6), (0.5,))
    asked = [strategy.ask().genotype for _ in range(30)]
    assert len(set(asked)) == 30
    assert {sum(genotype) for genotype in asked[:3]} == {1}
    assert max(map(sum, asked)) > 1


@pytest.mark.parametrize("cooling", [0.0, 1.0, -0.5, math.nan])
def test_a_cooling_out_of_range_is_refused(cooling: float) -> None:
    with pytest.raises(ValueError, match=f"cooling must be above 0 and below 1, but got {cooling}"):
        Annealing(CHOICES, np.random.default_rng(0), cooling)
