"""Losses of a policy gradient."""

import torch
from torch import Tensor


def policy_loss(
    log_probs: Tensor, entropies: Tensor, advantages: Tensor, entropy_weight: float
) -> Tensor:
    """The loss of REINFORCE with an entropy bonus, averaged over the B episodes of a batch
    (Williams 1992; Williams & Peng 1991).

    `log_probs` [B, T] are those of the decisions taken and `entropies` [B, T] those of their
    distributions, both 0 where an episode has no decision; `advantages` is [B].
    """
    return -(advantages * log_probs.sum(1)).mean() - entropy_weight * entropies.sum(1).mean()


def clipped_loss(
    log_probs: Tensor,
    old_log_probs: Tensor,
    entropies: Tensor,
    advantages: Tensor,
    entropy_weight: float,
    clip: float,
) -> Tensor:
    """The clipped surrogate loss of PPO, up to a constant (Schulman et al. 2017).

    `old_log_probs` [B, T] are those of the policy that sampled the episodes; probability ratios are
    clipped to 1 ± `clip`. Where old and new policy agree, the gradient is that of `policy_loss`.
    """
    # The ratio minus 1, of which expm1 keeps the digits near 0.
    change = torch.expm1(log_probs - old_log_probs)
    gains = torch.minimum(
        advantages[:, None] * change, advantages[:, None] * change.clamp(-clip, clip)
    )
    return -gains.sum(1).mean() - entropy_weight * entropies.sum(1).mean()
