from collections.abc import Callable

import numpy as np
import pytest

from nas.space import Choice, Choices, Genotype
from nas.strategy import Proposal
from strategies.local_search import LocalSearch

CHOICES = Choices([Choice(f"stage{i}", "width", tuple(range(4))) for i in range(5)])


def distance(one: Genotype, other: Genotype) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


def searched(
    score: Callable[[Genotype], float], asked: int, window: int = 1, seed: int = 0, starts: int = 1
) -> list[Genotype]:
    strategy = LocalSearch(CHOICES, np.random.default_rng(seed), starts)
    genotypes: list[Genotype] = []
    outstanding: list[Proposal] = []
    while len(genotypes) < asked:
        while len(outstanding) < window:
            outstanding.append(strategy.ask())
        proposal = outstanding.pop(0)
        genotypes.append(proposal.genotype)
        strategy.tell(proposal, (score(proposal.genotype),))
    return genotypes


def height(genotype: Genotype) -> float:
    return sum(genotype) / 15


@pytest.mark.parametrize("window", [1, 8])
def test_the_maximum_of_a_unimodal_fitness_is_found(window: int) -> None:
    genotypes = searched(height, 90 * window, window)
    assert (3,) * 5 in genotypes


def test_every_proposal_is_a_neighbor_of_the_best_until_a_better_one_is_found() -> None:
    genotypes = searched(height, 100)
    top = genotypes.index((3,) * 5)
    best = genotypes[0]
    for genotype in genotypes[1 : top + 1]:
        assert distance(best, genotype) == 1
        best = max(best, genotype, key=height)


def test_a_local_optimum_is_left_once_all_neighbors_are_known() -> None:
    genotypes = searched(height, 100)
    top = genotypes.index((3,) * 5)
    around = 5 * 3
    seen = set(genotypes[: top + 1])
    unknown = around - sum(distance((3,) * 5, genotype) == 1 for genotype in seen)
    assert all(
        distance((3,) * 5, genotype) == 1 for genotype in genotypes[top + 1 : top + 1 + unknown]
    )
    assert distance((3,) * 5, genotypes[top + 1 + unknown]) > 1


def test_nothing_is_proposed_twice_and_the_starts_are_random() -> None:
    flat = searched(lambda _: 0.5, 300)
    assert len(set(flat)) == 300
    assert len({searched(height, 1, seed=seed)[0] for seed in range(10)}) > 5


def test_a_neighbor_known_to_be_better_becomes_the_center_without_a_proposal() -> None:
    choices = Choices(
        [
            Choice("", "width", tuple(range(12))),
            Choice("", "bits", (2, 4)),
            Choice("", "bias", (False, True)),
        ]
    )
    left_early = 0
    for seed in range(40):
        strategy = LocalSearch(choices, np.random.default_rng(seed), starts=1)
        # A climb that has ended at (11, 0, 0), below which all widths are known.
        for gene in range(12):
            strategy.tell(Proposal((gene, 0, 0)), (0.1 + gene / 100,))
        strategy.tell(Proposal((11, 1, 0)), (0.0,))
        strategy.tell(Proposal((11, 0, 1)), (0.0,))
        strategy._random_candidates.clear()
        start = strategy.ask()
        strategy.tell(start, (0.05,))
        around = []
        for _ in range(6):
            around.append(strategy.ask())
            strategy.tell(around[-1], (0.0,))
        left_early += sum(start.genotype[1:]) == 1 and any(
            distance(start.genotype, one.genotype) > 1 for one in around
        )
    assert left_early > 3, (
        "a start beside a known row climbs it for nothing, and the next start is elsewhere"
    )


def test_the_excess_is_climbed_until_a_candidate_is_feasible() -> None:
    genotypes = searched(
        lambda genotype: height(genotype) if sum(genotype) > 12 else (sum(genotype) - 13) / 13, 110
    )
    assert (3,) * 5 in genotypes


def test_a_climb_starts_at_the_best_of_the_starts() -> None:
    genotypes = searched(height, 12, starts=8)
    best = max(genotypes[:8], key=height)
    assert distance(best, genotypes[8]) == 1
    assert [distance(best, genotype) for genotype in genotypes[:8]].count(1) < 3


def test_neighbors_of_infeasible_neighbors_are_tried_before_a_restart() -> None:
    """Every single mutation of (1, 2) is worse or over budget; a trade of two genes is better."""
    choices = Choices([Choice("", name, tuple(range(4))) for name in ("width", "bits")])
    strategy = LocalSearch(choices, np.random.default_rng(0), starts=1)
    strategy.tell(Proposal((1, 2)), (0.5,))
    found = []
    for _ in range(13):
        proposal = strategy.ask()
        found.append(proposal.genotype)
        width, bits = proposal.genotype
        strategy.tell(
            proposal,
            (0.9,) if proposal.genotype == (2, 1) else (-0.1,) if width + bits > 3 else (0.1,),
        )
        if proposal.genotype == (2, 1):
            break
    assert {distance((1, 2), genotype) for genotype in found[:6]} == {1}
    assert (2, 1) in found
    assert distance((2, 1), strategy.ask().genotype) == 1


@pytest.mark.parametrize("starts", [0, -1])
def test_a_number_of_starts_out_of_range_is_refused(starts: int) -> None:
    with pytest.raises(ValueError, match=f"from at least 1 random candidate, but got {starts}"):
        LocalSearch(CHOICES, np.random.default_rng(0), starts)


def test_the_best_random_proposal_made_while_waiting_starts_the_next_climb() -> None:
    strategy = LocalSearch(CHOICES, np.random.default_rng(0), starts=1)
    first = strategy.ask()
    strategy.tell(first, (0.9,))
    around = [strategy.ask() for _ in range(15)]
    assert all(distance(first.genotype, proposal.genotype) == 1 for proposal in around)
    waiting = [strategy.ask() for _ in range(5)]
    beside = 0
    for proposal in around:
        strategy.tell(proposal, (0.0,))
        if proposal is not around[-1]:
            beside += distance(around[0].genotype, strategy.ask().genotype) == 1
    assert beside < 5, "the climb is not over, so the center stays"
    for score, proposal in zip((0.1, 0.2, 0.7, 0.3, 0.4), waiting, strict=True):
        strategy.tell(proposal, (score,))
    assert distance(waiting[2].genotype, strategy.ask().genotype) == 1
