import math
from functools import partial

import numpy as np
import pytest
import torch

from nas.space import Choice, Choices, Genotype
from nas.strategy import Proposal, Reporting
from strategies.reinforcement.reinforce import Reinforce, clipped_loss, policy_loss

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


def test_the_loss_of_a_bandit_has_the_gradient_of_the_policy_gradient_theorem() -> None:
    logits = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
    actions, advantages = (
        torch.tensor([0, 2, 2, 1]),
        torch.tensor([1.0, -0.5, 0.25, 2.0], dtype=torch.float64),
    )
    logs = logits.log_softmax(0)
    entropies = -(logs.exp() * logs).sum().expand(4, 1)
    loss = policy_loss(logs[actions][:, None], entropies, advantages, entropy_weight=0.1)
    loss.backward()  # type: ignore[no-untyped-call]

    p = logits.detach().softmax(0)
    entropy = -(p * p.log()).sum()
    assert loss.item() == pytest.approx(
        float(-(advantages * p.log()[actions]).mean() - 0.1 * entropy)
    )
    # d log p_a / d logit_i = [a = i] - p_i, and d H / d logit_i = -p_i (log p_i + H).
    scores = torch.nn.functional.one_hot(actions, 3) - p
    expected = -(advantages[:, None] * scores).mean(0) + 0.1 * p * (p.log() + entropy)
    torch.testing.assert_close(logits.grad, expected)


def test_the_loss_sums_over_decisions_and_averages_over_episodes() -> None:
    taken = torch.tensor([[-1.0, -2.0], [-4.0, 0.0]])
    entropies = torch.tensor([[0.5, 0.25], [0.5, 0.0]])
    assert (
        policy_loss(taken, entropies, torch.tensor([1.0, -1.0]), entropy_weight=2.0).item()
        == (3 - 4) / 2 - 2 * 1.25 / 2
    )


def test_the_clipped_loss_starts_out_as_the_plain_one() -> None:
    advantages = torch.tensor([1.0, -0.5], dtype=torch.float64)
    entropies, before = (
        torch.tensor([[0.5, 0.25], [0.5, 0.0]]),
        torch.tensor([[-1.0, -2.0], [-4.0, 0.0]], dtype=torch.float64),
    )
    gradients = []
    for clipped in (False, True):
        taken = before.clone().requires_grad_()
        loss = (
            clipped_loss(taken, before, entropies, advantages, 2.0, clip=0.2)
            if clipped
            else policy_loss(taken, entropies, advantages, 2.0)
        )
        loss.backward()  # type: ignore[no-untyped-call]
        gradients.append(taken.grad)
    torch.testing.assert_close(gradients[1], gradients[0])
    assert loss.item() == -2 * 1.25 / 2, "nothing is gained yet, and entropy counts as ever"


@pytest.mark.parametrize(
    ("ratio", "advantage", "gain", "slope"),
    [
        (1.1, 1.0, 0.1, 1.1),
        (1.5, 1.0, 0.2, 0.0),
        (0.5, 1.0, -0.5, 0.5),
        (0.5, -1.0, 0.2, 0.0),
        (1.5, -1.0, -0.5, -1.5),
    ],
)
def test_a_decision_gains_no_more_than_the_clip_but_loses_all_it_can(
    ratio: float, advantage: float, gain: float, slope: float
) -> None:
    taken = torch.tensor([[math.log(ratio) - 1]], dtype=torch.float64, requires_grad=True)
    before = torch.tensor([[-1.0]], dtype=torch.float64)
    loss = clipped_loss(taken, before, torch.zeros(1, 1), torch.tensor([advantage]), 0.0, clip=0.2)
    loss.backward()  # type: ignore[no-untyped-call]
    assert taken.grad is not None
    assert -loss.item() == pytest.approx(gain)
    assert -taken.grad.item() == pytest.approx(slope)


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
        taken, *_ = strategy._replay([(1,)])
        return math.exp(taken.item())

    assert after(0.05) < after(10.0)
    assert after(None) < after(10.0), "without a clip a batch is one step"


def test_an_inactive_choice_has_no_log_probability_and_gets_no_gradient() -> None:
    strategy = Reinforce(CONDITIONAL, np.random.default_rng(0))
    taken, entropies, decisions = strategy._replay([(0, 0, 1), (0, 0, 0)])
    assert decisions == 4
    torch.testing.assert_close(taken, torch.full((2, 2), -math.log(2)))
    torch.testing.assert_close(entropies, torch.full((2, 2), math.log(2)))
    taken.sum().backward()  # type: ignore[no-untyped-call]
    gradient = strategy._controller.bias.grad
    assert gradient is not None
    assert not gradient[1].any()

    taken, entropies, decisions = strategy._replay([(0, 0, 1), (1, 3, 0)])
    assert decisions == 5
    torch.testing.assert_close(taken.sum(1), torch.tensor([-math.log(4), -math.log(16)]))
    assert taken[0, 2] == entropies[0, 2] == 0


def test_a_batch_is_not_learnt_from_twice() -> None:
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
    # Told without being asked, as a bandit of three arms has no unseen genotype after three
    # proposals.
    entropies = []
    for _ in range(30):
        for gene in (0, 1, 2, 1, 0, 1, 2, 1):
            strategy.tell(Proposal((gene,)), (float(gene == 1),))
        entropies.append(strategy.report()["entropy"])
    assert entropies[0] == pytest.approx(math.log(3)), (
        "the first batch is scored by the policy that played it"
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


def test_a_sure_policy_goes_on_to_unseen_neighbors() -> None:
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


def test_a_sample_is_of_the_present_policy() -> None:
    choices = Choices([Choice(f"stage{i}", "bits", (2, 4, 8)) for i in range(5)])
    strategy = Reinforce(choices, np.random.default_rng(0), batch=4)
    outstanding = [strategy.ask() for _ in range(5)]
    with torch.no_grad():
        strategy._controller.bias[:, 2] = 50.0
    for proposal in outstanding[:4]:
        strategy.tell(proposal, (0.5,))
    assert strategy.ask().genotype.count(2) >= 4, (
        "the three left over from the policy before are given up"
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
