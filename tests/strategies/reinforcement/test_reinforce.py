import math
from functools import partial

import numpy as np
import pytest
import torch

from nas.space import Choice, Choices, Genotype
from nas.strategy import Proposal, Reporting
from strategies.reinforcement.reinforce import Reinforce

BANDIT = Choices([Choice("", "op", ("a", "b", "c"))])
CONDITIONAL = Choices(
    [
        Choice("", "op", ("skip", "conv")),
        Choice("", "width", (8, 16, 32, 64), ("op", frozenset({"conv"}))),
        Choice("", "bits", (2, 4)),
    ]
)


def played(strategy: Reinforce, rewards: dict[Genotype, float], rounds: int) -> list[Genotype]:
    genotypes = []
    for _ in range(rounds):
        proposal = strategy.ask()
        genotypes.append(proposal.genotype)
        strategy.tell(proposal, (rewards[proposal.genotype],))
    return genotypes


def test_the_clip_bounds_how_far_one_batch_moves_the_policy() -> None:
    def after(clip: float | None) -> float:
        strategy = Reinforce(
            BANDIT,
            np.random.default_rng(0),
            batch=3,
            learning_rate=0.3,
            entropy_weight=0.0,
            clip=clip,
        )
        for gene in range(3):
            strategy.tell(Proposal((gene,)), (float(gene == 1),))
        log_probs, *_ = strategy._replay([(1,)])
        return math.exp(log_probs.item())

    assert after(0.05) < after(10.0)
    assert after(None) < after(10.0), "without a clip a batch is one step"


def test_an_inactive_choice_has_no_log_probability_and_gets_no_gradient() -> None:
    strategy = Reinforce(CONDITIONAL, np.random.default_rng(0))
    log_probs, entropies, decisions = strategy._replay([(0, 0, 1), (0, 0, 0)])
    assert decisions == 4
    torch.testing.assert_close(log_probs, torch.full((2, 2), -math.log(2)))
    torch.testing.assert_close(entropies, torch.full((2, 2), math.log(2)))
    log_probs.sum().backward()  # type: ignore[no-untyped-call]
    gradient = strategy._controller.bias.grad
    assert gradient is not None
    assert not gradient[1].any()

    log_probs, entropies, decisions = strategy._replay([(0, 0, 1), (1, 3, 0)])
    assert decisions == 5
    torch.testing.assert_close(log_probs.sum(1), torch.tensor([-math.log(4), -math.log(16)]))
    assert log_probs[0, 2] == entropies[0, 2] == 0


def test_a_batch_makes_one_update() -> None:
    strategy = Reinforce(BANDIT, np.random.default_rng(0), batch=2, entropy_weight=0.0, decay=0.0)
    for rewards, learns in (((0.0, 1.0), True), ((0.5, 0.5), False)):
        for gene, reward in enumerate(rewards):
            strategy.tell(Proposal((gene,)), (reward,))
        gradient = strategy._controller.bias.grad
        assert gradient is not None
        assert bool(gradient.any()) == learns


def test_the_entropy_falls_where_one_option_always_wins() -> None:
    strategy = Reinforce(BANDIT, np.random.default_rng(0))
    assert isinstance(strategy, Reporting)
    assert strategy.report() == {"entropy": pytest.approx(math.log(3)), "baseline": 0.0}
    # Results without proposals, because a bandit of three arms is exhausted after three.
    entropies = []
    for _ in range(30):
        for gene in (0, 1, 2, 1, 0, 1, 2, 1):
            strategy.tell(Proposal((gene,)), (float(gene == 1),))
        entropies.append(strategy.report()["entropy"])
    assert entropies[0] == pytest.approx(math.log(3)), (
        "the entropy is that of the policy that sampled the batch"
    )
    assert entropies[-1] < 0.5 * entropies[0]


def test_a_better_arm_is_played_more_often() -> None:
    genotypes = played(
        Reinforce(BANDIT, np.random.default_rng(0)), {(0,): 0.1, (1,): 0.2, (2,): 0.9}, 400
    )
    assert genotypes[-100:].count((2,)) > 70


@pytest.mark.parametrize("reward", [-1.0, 0.0, 1.0])
def test_equal_rewards_leave_the_policy_finite_and_broad(reward: float) -> None:
    choices = Choices([Choice(f"stage{i}", "bits", (2, 4, 8)) for i in range(5)])
    strategy = Reinforce(choices, np.random.default_rng(0))
    for _ in range(400):
        strategy.tell(strategy.ask(), (reward,))
    assert all(bool(weight.isfinite().all()) for weight in strategy._controller.parameters())
    assert strategy.report()["entropy"] > 0.9 * math.log(3)
    assert strategy.report()["baseline"] == pytest.approx(reward)


def test_a_long_search_of_a_small_space_stays_finite() -> None:
    strategy = Reinforce(
        CONDITIONAL, np.random.default_rng(0), learning_rate=0.1, entropy_weight=0.0
    )
    for _ in range(3000):
        proposal = strategy.ask()
        strategy.tell(proposal, (proposal.genotype[1] / 3 if proposal.genotype[2] else -1.0,))
    assert all(bool(weight.isfinite().all()) for weight in strategy._controller.parameters())


def test_a_converged_policy_explores_its_neighborhood() -> None:
    choices = Choices([Choice(f"stage{i}", "bits", (2, 4, 8)) for i in range(5)])
    strategy = Reinforce(choices, np.random.default_rng(0))
    with torch.no_grad():
        strategy._controller.bias[:, 1] = 50.0
    asked = [strategy.ask().genotype for _ in range(30)]
    assert asked[0] == (1, 1, 1, 1, 1)
    assert len(set(asked)) == 30
    assert np.mean([gene == 1 for genotype in asked for gene in genotype]) > 0.5


def test_each_choice_is_decided_by_its_own_head_and_inactive_ones_by_none() -> None:
    choices = Choices(
        [
            Choice("a", "op", ("skip", "conv")),
            Choice("a", "width", (8, 16, 32, 64), ("a.op", frozenset({"conv"}))),
            Choice("b", "op", ("skip", "conv", "dw")),
            Choice("b", "bits", (2, 4, 8), ("b.op", frozenset({"dw"}))),
        ]
    )
    for wanted in ((1, 3, 2, 1), (0, 0, 2, 2), (1, 2, 0, 0), (0, 0, 1, 0)):
        strategy = Reinforce(choices, np.random.default_rng(0))
        with torch.no_grad():
            for index, gene in enumerate(wanted):
                strategy._controller.bias[index, gene] = 50.0
        assert strategy.ask().genotype == wanted


def test_samples_of_an_old_policy_are_discarded() -> None:
    choices = Choices([Choice(f"stage{i}", "bits", (2, 4, 8)) for i in range(5)])
    strategy = Reinforce(choices, np.random.default_rng(0), batch=4)
    outstanding = [strategy.ask() for _ in range(5)]
    with torch.no_grad():
        strategy._controller.bias[:, 2] = 50.0
    for proposal in outstanding[:4]:
        strategy.tell(proposal, (0.5,))
    assert strategy.ask().genotype.count(2) >= 4, (
        "the remaining three samples of the old policy are discarded"
    )


def test_results_may_arrive_much_later_than_they_were_asked_for() -> None:
    strategy = Reinforce(CONDITIONAL, np.random.default_rng(0), batch=4)
    proposals = [strategy.ask() for _ in range(20)]
    for number, proposal in enumerate(proposals):
        strategy.tell(proposal, (0.5 if proposal.genotype[0] else 0.4,))
        assert (strategy.report()["baseline"] > 0) == (number >= 3)


def test_arguments_out_of_range_are_refused() -> None:
    make = partial(Reinforce, BANDIT, np.random.default_rng(0))
    with pytest.raises(ValueError, match="batch must be at least 1, but got 0"):
        make(batch=0)
    with pytest.raises(ValueError, match="hidden must be at least 1, but got -1"):
        make(hidden=-1)
    with pytest.raises(ValueError, match="learning_rate must be positive and finite, but got 0"):
        make(learning_rate=0.0)
    with pytest.raises(
        ValueError, match="entropy_weight must be 0 or more and finite, but got nan"
    ):
        make(entropy_weight=math.nan)
    with pytest.raises(ValueError, match="clip must be positive and finite, or None, but got 0"):
        make(clip=0.0)
    with pytest.raises(ValueError, match=r"decay must be 0 or more and below 1, but got 1\.0"):
        make(decay=1.0)
