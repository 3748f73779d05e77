import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.space import Choice, Choices
from strategies.candidates.variation import fill_inactive, mutate, neighbors

CHOICES = Choices(
    [
        Choice("a", "op", ("skip", "conv")),
        Choice("a", "width", tuple(range(50)), ("a.op", frozenset({"conv"}))),
        Choice("b", "op", ("skip", "conv", "dw")),
        Choice("b", "stem", ("plain",)),
        Choice("b", "bits", (2, 4, 8), ("b.op", frozenset({"conv", "dw"}))),
    ]
)


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_a_mutation_changes_one_decision_and_those_conditional_on_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parent = CHOICES.sample(rng)
    child = mutate(CHOICES, parent, rng)
    assert child == CHOICES.canonical(child)
    both = set(CHOICES.active(parent)) & set(CHOICES.active(child))
    assert sum(parent[index] != child[index] for index in both) == 1


def test_a_choice_that_becomes_active_is_drawn_and_not_zero() -> None:
    rng = np.random.default_rng(0)
    children = [mutate(CHOICES, (0, 0, 0, 0, 0), rng) for _ in range(200)]
    widths = [child[1] for child in children if child[0] == 1]
    assert len(set(widths)) > 20


def test_a_genotype_without_alternatives_is_its_own_mutation() -> None:
    choices = Choices([Choice("", "stem", ("plain",))])
    assert mutate(choices, (0,), np.random.default_rng(0)) == (0,)


def test_inactive_genes_are_inherited_from_a_donor_in_which_they_are_active() -> None:
    genes = fill_inactive(CHOICES, (0, 0, 1, 0, 2), (1, 37, 0, 0, 0), np.random.default_rng(0))
    assert genes == [0, 37, 1, 0, 2]


def test_neighbors_are_all_single_mutations_once_and_in_random_order() -> None:
    orders = [
        list(neighbors(CHOICES, (0, 0, 1, 0, 2), np.random.default_rng(seed))) for seed in range(5)
    ]
    for order in orders:
        # One other operation at a, two at b, two other bit-widths.
        assert sorted(
            (child[0], child[2], child[4] if child[2] == 1 else None)
            for child in order
            if child[2] != 0
        ) == [
            (0, 1, 0),
            (0, 1, 1),
            (0, 2, None),
            (1, 1, 2),
        ]
        assert [child for child in order if child[2] == 0] == [(0, 0, 0, 0, 0)]
        assert len(order) == 5
        assert all(child == CHOICES.canonical(child) for child in order)
    assert len({tuple(child[0] + child[2] for child in order) for order in orders}) > 2, (
        "the order is random"
    )
    assert len({child[1] for order in orders for child in order if child[0] == 1}) > 2, (
        "choices that become active are drawn"
    )


def test_a_design_without_a_second_option_has_no_neighbors() -> None:
    assert not list(
        neighbors(Choices([Choice("", "stem", ("plain",))]), (0,), np.random.default_rng(0))
    )
