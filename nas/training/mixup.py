"""Mixup: samples and their labels, mixed with others of the batch."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

_STEPS = 2**14
"""Shares are kept as whole numbers of so many, as all that is drawn for a sample."""


def draw_shares(alpha: float, count: int, generator: torch.Generator) -> Tensor:
    """For each of `count` samples the share that stays, from Beta(alpha, alpha), int16 [count]."""
    seed = int(torch.randint(2**62, (1,), generator=generator))
    shares = np.random.default_rng(seed).beta(alpha, alpha, count)
    return torch.from_numpy(np.rint(shares * _STEPS).astype(np.int16))


def mixed(inputs: Tensor, labels: Tensor, shares: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Inputs [N, …] and their labels, each mixed with those of the sample before it in the batch, by the
    shares [N] that `draw_shares` gave (Zhang et al., 2018).

    Class indices [N] become shares of the classes, [N, classes]; targets stay what they are.
    """
    if not labels.is_floating_point():
        labels = one_hot(labels, classes).float()
    kept = shares.float() / _STEPS
    return _between(inputs, kept), _between(labels, kept)


def _between(values: Tensor, kept: Tensor) -> Tensor:
    by = kept.view(-1, *[1] * (values.ndim - 1))
    return torch.lerp(values.roll(1, 0), values, by)
