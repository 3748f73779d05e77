import pytest

from nas.objective import Fitness
from nas.space import Genotype
from strategies.multi_fidelity.bracket import Bracket, Rung, max_halvings, rungs


def test_the_rungs_of_the_papers() -> None:
    for epochs, eta, least, times in (
        (81, 3, 1, 4),
        (81, 3, 3, 3),
        (24, 3, 2, 2),
        (24, 3, 3, 1),
        (16, 2, 1, 4),
        (1, 2, 1, 0),
        (8, 5, 0, 2),
        (8, 2, 0, 4),
        (1, 2, 0, 1),
    ):
        assert max_halvings(epochs, eta, least) == times
    assert rungs(9, 24, 3, 2) == (Rung(9, 2), Rung(3, 8), Rung(1, None))
    assert rungs(34, 81, 3, 3) == (Rung(34, 3), Rung(11, 9), Rung(3, 27), Rung(1, None))
    assert rungs(25, 8, 5, 2) == (Rung(25, 0), Rung(5, 1), Rung(1, None))
    assert rungs(5, 81, 3, 0) == (Rung(5, None),)


def test_arguments_outside_their_range_are_refused() -> None:
    with pytest.raises(ValueError, match="eta must be at least 2, but got 1"):
        max_halvings(24, 1, 1)
    for least in (-1, 25):
        with pytest.raises(
            ValueError, match=rf"least must be within 0 … epochs \(24\), but got {least}"
        ):
            max_halvings(24, 3, least)
    with pytest.raises(ValueError, match=r"within 0 … epochs \(0\), but got 0"):
        max_halvings(0, 3, 0)


def asked(bracket: Bracket, *genes: int) -> list[tuple[Genotype, float | None]]:
    """All proposals that can be asked for now; `genes` are the new genotypes."""
    new = [(gene,) for gene in genes]
    proposals = []
    while bracket.can_ask:
        proposals.append(bracket.ask(lambda: new.pop(0)))
    assert not new
    return [(proposal.genotype, proposal.epochs) for proposal in proposals]


def tell(bracket: Bracket, fitnesses: dict[int, Fitness]) -> None:
    for gene, fitness in fitnesses.items():
        bracket.tell((gene,), fitness)


LADDER = (Rung(4, 2), Rung(2, 6), Rung(1, None))


def test_the_best_of_each_rung_are_promoted_and_ties_in_order() -> None:
    bracket = Bracket(LADDER)
    assert asked(bracket, 1, 2, 3, 4) == [((gene,), 2) for gene in (1, 2, 3, 4)]
    tell(bracket, {1: (0.5, 0.9), 2: (0.6, 0.1), 3: (0.5, 0.8)})
    assert not bracket.can_ask, "the fourth may be better"
    assert bracket.in_progress == {(1,), (2,), (3,), (4,)}
    tell(bracket, {4: (0.4, 1.0)})
    assert bracket.in_progress == {(1,), (2,)}
    assert asked(bracket) == [((2,), 6), ((1,), 6)]
    tell(bracket, {2: (0.7, 0.0), 1: (0.8, 0.0)})
    assert asked(bracket) == [((1,), None)]
    assert not bracket.finished
    tell(bracket, {1: (0.9, 0.0)})
    assert bracket.finished
    assert not bracket.can_ask
    assert bracket.in_progress == set()
    assert bracket.last_fitness == {
        (1,): (0.9, 0.0),
        (2,): (0.7, 0.0),
        (3,): (0.5, 0.8),
        (4,): (0.4, 1.0),
    }


def test_infeasible_candidates_are_replaced_on_the_lowest_rung() -> None:
    bracket = Bracket(LADDER)
    asked(bracket, 1, 2, 3, 4)
    tell(bracket, {1: (-0.1,), 2: (0.5,), 3: (-1.0,)})
    assert bracket.in_progress == {(2,), (4,)}
    assert asked(bracket, 5, 6) == [((5,), 2), ((6,), 2)]
    tell(bracket, {4: (0.1,), 5: (0.2,), 6: (0.3,)})
    assert asked(bracket) == [((2,), 6), ((6,), 6)]


def test_failures_on_higher_rungs_are_not_replaced() -> None:
    bracket = Bracket(LADDER)
    asked(bracket, 1, 2, 3, 4)
    tell(bracket, {1: (0.4,), 2: (0.3,), 3: (0.2,), 4: (0.1,)})
    asked(bracket)
    tell(bracket, {1: (-1.0,), 2: (0.5,)})
    assert asked(bracket) == [((2,), None)]
    tell(bracket, {2: (-1.0,)})
    assert bracket.finished
    all_fail = Bracket((Rung(1, 2), Rung(1, 6), Rung(1, None)))
    asked(all_fail, 1)
    tell(all_fail, {1: (0.5,)})
    asked(all_fail)
    tell(all_fail, {1: (-1.0,)})
    assert all_fail.finished


def test_a_repeated_genotype_takes_one_place_on_the_next_rung() -> None:
    bracket = Bracket(LADDER)
    asked(bracket, 1, 1, 2, 3)
    for gene, fitness in ((1, 0.9), (1, 0.9), (2, 0.5), (3, 0.7)):
        bracket.tell((gene,), (fitness,))
    assert asked(bracket) == [((1,), 6), ((3,), 6)]
