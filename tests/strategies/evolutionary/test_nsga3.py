import numpy as np
import pytest

from nas.objective import Fitness
from nas.space import Choice, Choices, Genotype
from nas.strategy import Proposal
from strategies.evolutionary.nsga3 import Nsga3, reference_directions

CHOICES = Choices([Choice(f"stage{i}", "width", tuple(range(5))) for i in range(6)])


def trade(genotype: Genotype) -> Fitness:
    """Three objectives that share out 1, less what the last three genes lose: the front is where
    those are 0.
    """
    kept = 1 - sum(genotype[3:]) / 12
    shares = np.array(genotype[:3]) + 1e-9
    return tuple(float(share) for share in kept * shares / shares.sum())


def explored(asked: int, window: int) -> list[Genotype]:
    strategy = Nsga3(CHOICES, np.random.default_rng(0), population=28)
    proposals: list[Proposal] = []
    for step in range(asked):
        while len(proposals) < step + window:
            proposals.append(strategy.ask())
        strategy.tell(proposals[step], trade(proposals[step].genotype))
    return [proposal.genotype for proposal in proposals]


@pytest.mark.parametrize("window", [1, 16, 64])
def test_a_front_of_three_objectives_is_found_and_spread_out(window: int) -> None:
    found = {trade(genotype) for genotype in explored(2000, window) if not any(genotype[3:])}
    every = np.array(
        [trade((a, b, c, 0, 0, 0)) for a in range(5) for b in range(5) for c in range(5)]
    )
    gaps = [min(np.abs(point - np.array(other)).max() for other in found) for point in every]
    assert max(gaps) < 0.15
    rows = np.random.default_rng(0).integers(5, size=(2000, 6))
    assert sum(not any(row[3:]) for row in rows) < len(found) / 2, "by chance few are on the front"


def test_directions_are_as_many_as_the_population_allows() -> None:
    for objectives, most, count in (
        (1, 16, 1),
        (2, 16, 16),
        (3, 16, 15),
        (4, 16, 10),
        (3, 4, 3),
        (5, 4, 5),
    ):
        directions = reference_directions(objectives, most)
        assert directions.shape == (count, objectives)
        assert len({tuple(row) for row in directions}) == count
        np.testing.assert_allclose(directions.sum(1), 1.0)


def test_candidates_over_budget_are_parents_only_where_others_are_too_few() -> None:
    strategy = Nsga3(CHOICES, np.random.default_rng(0), population=4)
    within = [(0, 0, 0, 0, 0, gene) for gene in range(3)]
    over = [(4, 4, 4, 4, 4, gene) for gene in range(5)]
    for gene in range(72):  # with these, twenty times the population are evaluated
        strategy.tell(Proposal((4, 4, 4, 1 + gene // 25, gene // 5 % 5, gene % 5)), (-1.0,) * 3)
    for genotype, excess in zip(over[:4], (0.9, 0.2, 1.0, 0.5), strict=True):
        strategy.tell(Proposal(genotype), (-excess,) * 3)
    for gene, genotype in enumerate([*within, over[4]]):
        strategy.tell(Proposal(genotype), (0.1 * gene,) * 3 if genotype in within else (-0.7,) * 3)
    assert {parent.genotype for parent in strategy._parents} == {*within, over[1]}, (
        "the smallest excess fills up"
    )
    children = np.array([strategy.ask().genotype for _ in range(60)])
    assert (children[:, :5] == 0).mean() > 0.7
    for gene in range(4):
        strategy.tell(Proposal((0, 0, 0, 0, 1, gene)), (0.5, 0.2 + 0.1 * gene, 0.5 - 0.1 * gene))
    assert {parent.score for parent in strategy._parents} == {0.5}


def test_every_direction_keeps_its_own_however_crowded_another_one_is() -> None:
    strategy = Nsga3(CHOICES, np.random.default_rng(0), population=6)
    extremes = [
        ((4, 0, 0, 0, 0, 0), (1.0, 0.0, 0.0)),
        ((0, 4, 0, 0, 0, 0), (0.0, 1.0, 0.0)),
        ((0, 0, 4, 0, 0, 0), (0.0, 0.0, 1.0)),
    ]
    crowd = [
        ((1, 1, 1, 0, gene // 5, gene % 5), (0.3 + 0.01 * gene, 0.34 - 0.01 * gene, 0.33))
        for gene in range(9)
    ]
    for genotype, fitness in (*extremes, *crowd):
        strategy.tell(Proposal(genotype), fitness)
    assert {genotype for genotype, _ in extremes} <= {
        parent.genotype for parent in strategy._parents
    }


@pytest.mark.parametrize("population", [0, 2, 7, -4])
def test_populations_that_cannot_be_paired_are_refused(population: int) -> None:
    with pytest.raises(
        ValueError, match=f"population must be even and at least 4, but got {population}"
    ):
        Nsga3(CHOICES, np.random.default_rng(0), population)
