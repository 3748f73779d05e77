"""Masks of layers: pruned weights stay zero while the others are trained."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

Schedule = Callable[[float], float]
"""From the share of a training phase's steps that are done, 0 to 1, to the share of the removal
that is done, 0 to 1.
"""


class WeightMask(nn.Module):
    """Keeps `keep` weights of a layer, of every `block` of neighbors along the inputs or of all if
    that is None; the others are 0.

    A mask is a child of its layer. It keeps the weights with the largest `scores`, in the shape of
    `weight`. If the schedule begins below 1, it is gradual: training removes the smallest weights
    that are left, until the schedule reaches 1 or training ends. `kept` has the final number of
    weights from the start, so that costs are known before training.
    """

    kept: Tensor

    def __init__(
        self, weight: nn.Parameter, scores: Tensor, keep: int, block: int | None, schedule: Schedule
    ) -> None:
        super().__init__()
        # In a list, or torch would register the parameter a second time. A deep copy of the layer
        # still has one parameter for both.
        self._weight = [weight]
        self.keep, self.block, self.schedule = keep, block, schedule
        self.register_buffer("kept", _largest(scores, keep, block))
        self.left = block or weight.numel()
        if schedule(0.0) >= 1.0:
            self.left = keep
            self._hold()

    def follow(self, weight: nn.Parameter) -> None:
        """Masks these weights, of the same shape, in the place of the former ones."""
        self._weight = [weight]

    def after_step(self, progress: float) -> None:
        """Removes weights as scheduled, and sets all removed ones to 0 again.

        `progress` is the share of the training phase that is done, 0 to 1.
        """
        share = 1.0 if progress >= 1.0 else min(max(self.schedule(progress), 0.0), 1.0)
        size = self.block or self._weight[0].numel()
        left = size - math.floor(share * (size - self.keep))
        if left < self.left:
            scores = self._weight[0].detach().abs()
            if self.left < size:
                scores[~self.kept] = -1.0  # removed weights stay removed
            self.kept.copy_(_largest(scores, left, self.block))
            self.left = left
        if self.left < size:
            self._hold()

    def _hold(self) -> None:
        with torch.no_grad():
            self._weight[0].mul_(self.kept)


def _largest(scores: Tensor, keep: int, block: int | None) -> Tensor:
    """True at the `keep` largest scores, of each block along dimension 1 or of all."""
    places = torch.arange(scores.numel(), device=scores.device)
    rows = (
        places[None]
        if block is None
        else places.view(scores.shape).movedim(1, -1).reshape(-1, block)
    )
    # Not sorted, which would take ten times as long, and a gradual schedule does this often.
    best = scores.flatten()[rows].topk(keep, 1, sorted=False).indices
    kept = torch.zeros(scores.numel(), dtype=torch.bool, device=scores.device)
    kept[rows.gather(1, best)] = True
    return kept.view(scores.shape)


def mask_of(layer: nn.Module) -> WeightMask | None:
    """The mask of a layer; None if it has none."""
    return next((child for child in layer.children() if isinstance(child, WeightMask)), None)


def carry_mask(layer: nn.Module, successor: nn.Module) -> None:
    """Gives the mask of a layer to a successor with the same weights."""
    if (mask := mask_of(layer)) is not None:
        successor.add_module("mask", mask)
