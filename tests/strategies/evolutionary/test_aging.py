import numpy as np
import pytest

from nas.space import Choice, Choices, Genotype
from nas.strategy import Proposal
from strategies.candidates.repair import MAX_MUTATIONS
from strategies.evolutionary.aging import AgingEvolution

CHOICES = Choices([Choice(f"stage{i}", "width", tuple(range(20))) for i in range(6)])


def populated(
    scores: list[float], sample: int, population: int | None = None
) -> tuple[AgingEvolution, list[Genotype]]:
    """A strategy with the results of its first proposals, and these proposals, oldest first."""
    strategy = AgingEvolution(CHOICES, np.random.default_rng(0), population or len(scores), sample)
    members = []
    for score in scores:
        proposal = strategy.ask()
        members.append(proposal.genotype)
        strategy.tell(proposal, (score,))
    return strategy, members


def litters(strategy: AgingEvolution, members: list[Genotype], asked: int = 50) -> list[int]:
    """The number of next proposals that are one mutation from each member."""
    children = [strategy.ask().genotype for _ in range(asked)]
    return [
        sum(sum(a != b for a, b in zip(member, child, strict=True)) == 1 for child in children)
        for member in members
    ]


def test_children_are_one_mutation_from_a_parent_and_mostly_from_the_best() -> None:
    strategy, members = populated([0.1, 0.9, 0.2, 0.3], sample=4)
    litter = litters(strategy, members)
    assert sum(litter) == 50
    assert litter[1] > 25


def test_the_oldest_member_is_removed_even_if_it_is_the_best() -> None:
    strategy, members = populated([1.0, 0.1, 0.2, 0.3], sample=4)
    strategy.tell(Proposal((1,) * 6), (0.0,))
    litter = litters(strategy, [*members, (1,) * 6])
    assert litter[0] == 0
    assert sum(litter) == 50
    assert litter[3] > 25


def test_candidates_over_budget_cannot_push_out_those_that_meet_it() -> None:
    strategy, members = populated([0.5, 0.4], sample=2)
    for _ in range(30):
        strategy.tell(Proposal((1,) * 6), (-0.01,))
    for _ in range(30 * MAX_MUTATIONS):
        strategy.ask()
    assert sum(litters(strategy, members)) == 50


def test_a_child_over_budget_is_mutated_again_until_one_is_feasible() -> None:
    strategy, _ = populated([0.5], sample=1)
    chain = [strategy.ask().genotype]
    for _ in range(MAX_MUTATIONS - 1):
        strategy.tell(Proposal(chain[-1]), (-0.01,))
        chain.append(strategy.ask().genotype)
        assert sum(a != b for a, b in zip(chain[-2], chain[-1], strict=True)) == 1
    strategy.tell(Proposal(chain[-1]), (0.7,))
    assert sum(litters(strategy, [chain[-1]])) == 50


def test_the_initial_population_is_feasible() -> None:
    strategy, members = populated([0.1, -0.5, -0.1, 0.9, -0.2, 0.2, 0.3], sample=4, population=4)
    assert litters(strategy, members)[3] > 25
    strategy.tell(Proposal((1,) * 6), (0.0,))
    assert litters(strategy, members)[0] == 0, "the oldest feasible member is gone"


def test_without_feasible_members_the_smallest_excess_wins_the_tournaments() -> None:
    strategy, members = populated([-0.2] + [-1.0] * 79, sample=4, population=4)
    assert litters(strategy, members)[0] > 25
    strategy.tell(Proposal((1,) * 6), (-0.1,))
    assert litters(strategy, [(1,) * 6])[0] > 25


def test_the_first_feasible_member_wins_the_tournaments() -> None:
    strategy, _ = populated([-0.1] * 80, sample=4, population=4)
    strategy.tell(Proposal((1,) * 6), (0.0,))
    assert litters(strategy, [(1,) * 6])[0] > 25


def test_proposals_are_random_until_the_population_is_complete() -> None:
    strategy = AgingEvolution(CHOICES, np.random.default_rng(0), population=4, sample=2)
    proposals = [strategy.ask() for _ in range(64)]
    assert len({proposal.genotype for proposal in proposals}) == 64
    for proposal in proposals:
        strategy.tell(proposal, (0.5,))
    assert sum(litters(strategy, [proposal.genotype for proposal in proposals[-4:]])) == 50


@pytest.mark.parametrize(("population", "sample"), [(0, 0), (4, 0), (4, 5)])
def test_sizes_out_of_range_are_refused(population: int, sample: int) -> None:
    with pytest.raises(
        ValueError,
        match=rf"sample must be within 1 … population \({population}\), but got {sample}",
    ):
        AgingEvolution(CHOICES, np.random.default_rng(0), population, sample)


def test_a_share_of_the_children_are_random_designs() -> None:
    def related(immigrants: float) -> int:
        strategy = AgingEvolution(
            CHOICES, np.random.default_rng(0), population=4, sample=4, immigrants=immigrants
        )
        members = []
        for score in (0.1, 0.9, 0.2, 0.3):
            members.append(strategy.ask().genotype)
            strategy.tell(Proposal(members[-1]), (score,))
        return sum(litters(strategy, members))

    assert (related(0), related(1)) == (50, 0)
    assert 15 < related(0.5) < 35


@pytest.mark.parametrize("immigrants", [-0.1, 1.1])
def test_a_share_of_immigrants_out_of_range_is_refused(immigrants: float) -> None:
    with pytest.raises(ValueError, match="immigrants must be within 0 … 1, but got"):
        AgingEvolution(CHOICES, np.random.default_rng(0), immigrants=immigrants)
