"""Weights that stay zero while the others are trained."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

Schedule = Callable[[float], float]
"""From the share of a training phase's steps that are done to the share of the weights to remove
that are removed, 0 to 1.
"""


class WeightMask(nn.Module):
    """Keeps the weights of a layer that matter, `keep` of every `block` along the inputs or of all;
    the others are 0.

    It is a child of the layer. `scores`, one for each weight, say what is kept. Where `schedule`
    does not begin with 1, nothing is removed before training, which then removes the smallest of
    the weights that are left until the schedule gets to 1, or training ends: `kept` tells before
    how many weights there will be.
    """

    kept: Tensor

    def __init__(
        self, weight: nn.Parameter, scores: Tensor, keep: int, block: int | None, schedule: Schedule
    ) -> None:
        super().__init__()
        # In a list, or it would be registered as a parameter a second time. A copy of the layer has
        # a copy of both.
        self._weight = [weight]
        self.keep, self.block, self.schedule = keep, block, schedule
        self.register_buffer("kept", _largest(scores, keep, block))
        self.left = block or weight.numel()
        if schedule(0.0) >= 1.0:
            self.left = keep
            self._hold()

    def follow(self, weight: nn.Parameter) -> None:
        """Keeps these weights from now on, of the same shape, and no longer those that it was made
        for.
        """
        self._weight = [weight]

    def stepped(self, progress: float) -> None:
        """Removes what the schedule says, and sets all that is removed to 0 again."""
        share = 1.0 if progress >= 1.0 else min(max(self.schedule(progress), 0.0), 1.0)
        size = self.block or self._weight[0].numel()
        left = size - math.floor(share * (size - self.keep))
        if left < self.left:
            scores = self._weight[0].detach().abs()
            if self.left < size:
                scores[~self.kept] = -1.0  # what is removed stays removed
            self.kept.copy_(_largest(scores, left, self.block))
            self.left = left
        if self.left < size:
            self._hold()

    def _hold(self) -> None:
        with torch.no_grad():
            self._weight[0].mul_(self.kept)


def _largest(scores: Tensor, keep: int, block: int | None) -> Tensor:
    """Where the `keep` largest scores are, of each block along dimension 1 or of all."""
    places = torch.arange(scores.numel())
    rows = (
        places[None]
        if block is None
        else places.view(scores.shape).movedim(1, -1).reshape(-1, block)
    )
    # A tenth of the time of sorting, and this happens as often as a gradual schedule says.
    best = scores.flatten()[rows].topk(keep, 1, sorted=False).indices
    kept = torch.zeros(scores.numel(), dtype=torch.bool)
    kept[rows.gather(1, best)] = True
    return kept.view(scores.shape)


def mask_of(layer: nn.Module) -> WeightMask | None:
    """The mask of a layer, if it has one."""
    return next((child for child in layer.children() if isinstance(child, WeightMask)), None)


def carry_mask(layer: nn.Module, successor: nn.Module) -> None:
    """Gives the mask of a layer to the one that takes its place, and its weights."""
    if (mask := mask_of(layer)) is not None:
        successor.add_module("mask", mask)
