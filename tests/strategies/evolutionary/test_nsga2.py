import numpy as np
import pytest

from nas.objective import Budget, Evaluation, Fitness, Objective, Status, pareto_front
from nas.search_loop import Pending, search
from nas.space import Choice, Choices, Genotype
from nas.strategy import Proposal
from strategies.evolutionary.nsga2 import Nsga2

CHOICES = Choices([Choice(f"stage{i}", "width", tuple(range(8))) for i in range(6)])


def trade(genotype: Genotype) -> Fitness:
    """Two objectives: the front is where all genes after the first are 0, and the first one moves
    along it.
    """
    loss = sum(genotype[1:]) / 35
    return (genotype[0] / 7) * (1 - loss), (1 - genotype[0] / 7) * (1 - loss)


def explored(asked: int, window: int, population: int = 16) -> list[Genotype]:
    strategy = Nsga2(CHOICES, np.random.default_rng(0), population)
    genotypes: list[Genotype] = []
    outstanding: list[Proposal] = []
    while len(genotypes) < asked:
        while len(outstanding) < window:
            outstanding.append(strategy.ask())
        proposal = outstanding.pop(0)
        genotypes.append(proposal.genotype)
        strategy.tell(proposal, trade(proposal.genotype))
    return genotypes


def front(genotypes: list[Genotype]) -> set[float]:
    return {genotype[0] for genotype in genotypes if not any(genotype[1:])}


@pytest.mark.parametrize("window", [1, 16, 64])
def test_the_known_front_is_found_and_spread_out(window: int) -> None:
    found = front(explored(2000, window))
    assert len(found) >= 7, "all eight points of the front, or all but one"
    at_random = np.random.default_rng(0).integers(8, size=(2000, 6))
    assert not front([tuple(map(int, row)) for row in at_random])


def test_parents_on_the_front_are_kept() -> None:
    strategy = Nsga2(CHOICES, np.random.default_rng(0), population=8)
    points = [(gene, 0, 0, 0, 0, 0) for gene in range(8)]
    for genotype in points:
        strategy.tell(Proposal(genotype), trade(genotype))
    for _ in range(5):
        for genotype in [(gene, 7, 7, 7, 7, 7) for gene in range(8)]:
            strategy.tell(Proposal(genotype), trade(genotype))
    children = np.array([strategy.ask().genotype for _ in range(200)])
    assert (children[:, 1:] == 0).mean() > 0.7, "only mutations leave the front"
    assert set(children[:, 0]) == set(range(8))


def test_children_of_equal_parents_are_mutations() -> None:
    strategy = Nsga2(CHOICES, np.random.default_rng(0), population=4)
    for _ in range(4):
        strategy.tell(Proposal((3,) * 6), (0.5, 0.5))
    assert len({strategy.ask().genotype for _ in range(30)}) == 30


def test_candidates_over_budget_are_dominated_by_those_within() -> None:
    strategy = Nsga2(CHOICES, np.random.default_rng(0), population=4)
    for excess in range(4):
        strategy.tell(Proposal((7, 7, 7, 7, 7, excess)), (-0.1 * excess - 0.1,) * 2)
    for gene in range(4):
        strategy.tell(Proposal((0, 0, 0, 0, 0, gene)), (0.0, 0.1 * gene))
    children = np.array([strategy.ask().genotype for _ in range(50)])
    assert (children[:, :5] == 0).mean() > 0.7


def test_among_candidates_over_budget_the_smallest_excess_wins() -> None:
    """Constrained domination: a smaller violation dominates a larger one."""
    strategy = Nsga2(CHOICES, np.random.default_rng(0), population=4)
    for gene in range(8):
        for other in range(10):  # twenty times the population completes it without feasible members
            strategy.tell(
                Proposal((gene,) * 6 if other == 0 else (gene, other % 8, 7, 7, 7, other)),
                (-0.1 - 0.1 * gene - other,) * 2,
            )
    assert {parent.genotype for parent in strategy._parents} == {(gene,) * 6 for gene in range(4)}


def test_under_a_hard_constraint_the_front_that_meets_it_is_found() -> None:
    """The constraint cuts off one end of the front, and what lies beyond looks better in both
    objectives.
    """

    def submit(number: int, proposal: Proposal) -> Pending:
        accuracy, saving = trade(proposal.genotype)
        metrics = {"accuracy": accuracy, "waste": 1 - saving, "memory": 1.0 + proposal.genotype[0]}
        status = Status.OVER_BUDGET if metrics["memory"] > 4 else Status.OK
        evaluation = Evaluation(
            id=number,
            genotype=proposal.genotype,
            design={},
            status=status,
            reason="",
            metrics=metrics,
            seconds=0.0,
        )
        return lambda: evaluation

    objective = Objective(
        maximize=("accuracy",), minimize=("waste",), budget=Budget({"memory": 4, "waste": 1})
    )
    strategy = Nsga2(CHOICES, np.random.default_rng(0))
    found = list(search(strategy, submit, objective, trials=1000))
    best = {e.genotype for e in pareto_front(found, objective)}
    assert best == {(gene, 0, 0, 0, 0, 0) for gene in range(4)}
    assert all(parent.score >= 0 for parent in strategy._parents)


def test_children_of_earlier_parents_are_discarded() -> None:
    strategy = Nsga2(CHOICES, np.random.default_rng(0), population=16)
    for gene, quality in ((0, 0.1), (7, 0.9)):
        for index in range(16):
            strategy.tell(
                Proposal((gene, gene, gene, gene, index % 8, index // 8)), (quality, quality)
            )
        children = np.array([strategy.ask().genotype for _ in range(10)])
        assert (children[:, :4] == gene).mean() > 0.6


def test_parents_that_dominate_have_more_children() -> None:
    strategy = Nsga2(CHOICES, np.random.default_rng(0), population=8)
    for gene in range(8):
        strategy.tell(Proposal((gene,) * 6), (0.1 * gene, 0.1 * gene))
    children = np.array([strategy.ask().genotype for _ in range(200)])
    assert (children >= 4).mean() > 0.65


@pytest.mark.parametrize("population", [0, 2, 18, -4])
def test_populations_that_cannot_be_paired_are_refused(population: int) -> None:
    with pytest.raises(
        ValueError, match=f"population must be a positive multiple of 4, but got {population}"
    ):
        Nsga2(CHOICES, np.random.default_rng(0), population)


@pytest.mark.parametrize("immigrants", [-0.1, 1.1])
def test_a_share_of_immigrants_out_of_range_is_refused(immigrants: float) -> None:
    with pytest.raises(ValueError, match="immigrants must be within 0 … 1, but got"):
        Nsga2(CHOICES, np.random.default_rng(0), immigrants=immigrants)
