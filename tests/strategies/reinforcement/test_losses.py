import math

import pytest
import torch

from strategies.reinforcement.losses import clipped_loss, policy_loss


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
    log_probs = torch.tensor([[-1.0, -2.0], [-4.0, 0.0]])
    entropies = torch.tensor([[0.5, 0.25], [0.5, 0.0]])
    assert (
        policy_loss(log_probs, entropies, torch.tensor([1.0, -1.0]), entropy_weight=2.0).item()
        == (3 - 4) / 2 - 2 * 1.25 / 2
    )


def test_at_equal_policies_the_clipped_loss_has_the_plain_gradient() -> None:
    advantages = torch.tensor([1.0, -0.5], dtype=torch.float64)
    entropies, old_log_probs = (
        torch.tensor([[0.5, 0.25], [0.5, 0.0]]),
        torch.tensor([[-1.0, -2.0], [-4.0, 0.0]], dtype=torch.float64),
    )
    gradients = []
    for clipped in (False, True):
        log_probs = old_log_probs.clone().requires_grad_()
        loss = (
            clipped_loss(log_probs, old_log_probs, entropies, advantages, 2.0, clip=0.2)
            if clipped
            else policy_loss(log_probs, entropies, advantages, 2.0)
        )
        loss.backward()  # type: ignore[no-untyped-call]
        gradients.append(log_probs.grad)
    torch.testing.assert_close(gradients[1], gradients[0])
    assert loss.item() == -2 * 1.25 / 2, (
        "the gain is 0 at equal policies, and the entropy bonus is unchanged"
    )


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
def test_gains_are_clipped_and_losses_are_not(
    ratio: float, advantage: float, gain: float, slope: float
) -> None:
    log_probs = torch.tensor([[math.log(ratio) - 1]], dtype=torch.float64, requires_grad=True)
    old_log_probs = torch.tensor([[-1.0]], dtype=torch.float64)
    loss = clipped_loss(
        log_probs, old_log_probs, torch.zeros(1, 1), torch.tensor([advantage]), 0.0, clip=0.2
    )
    loss.backward()  # type: ignore[no-untyped-call]
    assert log_probs.grad is not None
    assert -loss.item() == pytest.approx(gain)
    assert -log_probs.grad.item() == pytest.approx(slope)
