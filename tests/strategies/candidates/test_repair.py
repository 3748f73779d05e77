import numpy as np

from nas.space import Choice, Choices, Genotype
from strategies.candidates.proposed import Proposed
from strategies.candidates.repair import MAX_MUTATIONS, Repair

CHOICES = Choices([Choice(f"stage{i}", "width", tuple(range(9))) for i in range(6)])


def test_nothing_is_proposed_before_an_infeasible_offspring() -> None:
    assert Repair(CHOICES, np.random.default_rng(0), Proposed(CHOICES, redraws=5)).propose() is None


def test_a_chain_of_single_mutations_has_a_maximum_length() -> None:
    repair = Repair(CHOICES, np.random.default_rng(0), Proposed(CHOICES, redraws=5))
    parent: Genotype = (0,) * 6
    for _ in range(MAX_MUTATIONS - 1):
        repair.add(parent)
        child = repair.propose()
        assert child is not None
        assert sum(a != b for a, b in zip(parent, child, strict=True)) == 1
        parent = child
    repair.add(parent)
    assert repair.propose() is None


def test_every_infeasible_offspring_is_mutated_once() -> None:
    repair = Repair(CHOICES, np.random.default_rng(0), Proposed(CHOICES, redraws=5))
    infeasible = [(gene,) * 6 for gene in range(4)]
    for genotype in infeasible:
        repair.add(genotype)
    mutations = [repair.propose() for _ in infeasible]
    assert repair.propose() is None
    assert all(
        any(
            sum(a != b for a, b in zip(one, mutation or (), strict=True)) == 1
            for mutation in mutations
        )
        for one in infeasible
    )
