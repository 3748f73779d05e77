import numpy as np

from nas.space import Choice, Choices, Genotype
from strategies.candidates.repair import STEPS, Repair
from strategies.candidates.unseen import Unseen

CHOICES = Choices([Choice(f"stage{i}", "width", tuple(range(9))) for i in range(6)])


def test_no_way_is_open_before_the_budget_was_broken() -> None:
    assert Repair(CHOICES, np.random.default_rng(0), Unseen(CHOICES, redraws=5)).step() is None


def test_a_way_is_of_single_mutations_and_ends() -> None:
    detours = Repair(CHOICES, np.random.default_rng(0), Unseen(CHOICES, redraws=5))
    here: Genotype = (0,) * 6
    for _ in range(STEPS - 1):
        detours.broken_by(here)
        there = detours.step()
        assert there is not None
        assert sum(a != b for a, b in zip(here, there, strict=True)) == 1
        here = there
    detours.broken_by(here)
    assert detours.step() is None


def test_every_broken_one_is_gone_on_from_once() -> None:
    detours = Repair(CHOICES, np.random.default_rng(0), Unseen(CHOICES, redraws=5))
    broken = [(gene,) * 6 for gene in range(4)]
    for genotype in broken:
        detours.broken_by(genotype)
    steps = [detours.step() for _ in broken]
    assert detours.step() is None
    assert all(
        any(sum(a != b for a, b in zip(one, step or (), strict=True)) == 1 for step in steps)
        for one in broken
    )
