"""Network slimming: training that makes channels dispensable."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from nas.training.augmentation import Augmentation
from nas.training.fit import Loss, attached, on_device, viewed
from nas.training.views import Views


@dataclass(frozen=True)
class _Penalized:
    loss: Loss
    gains: Sequence[Tensor]
    strength: float

    def __call__(self, logits: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        total: Tensor = self.loss(logits, labels, index)
        for gain in self.gains:
            total = total + self.strength * gain.abs().sum()
        return total

    def attached(
        self, student: nn.Module, example: Tensor
    ) -> AbstractContextManager[Iterable[nn.Parameter]]:
        return attached(self.loss, student, example)

    def viewed(self, augmentation: Augmentation) -> tuple[Loss, Views | None]:
        loss, views = viewed(self.loss, augmentation)
        return replace(self, loss=loss), views

    def to(self, device: torch.device) -> Loss:
        return replace(self, loss=on_device(self.loss, device))


def with_gain_penalty(loss: Loss, model: nn.Module, strength: float) -> Loss:
    """`loss` + `strength` · Σ |γ| over the gains γ of all batch normalization in `model` (Liu et
    al., 2017).
    """
    norms = [
        module for module in model.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))
    ]
    gains = [norm.weight for norm in norms if norm.weight is not None]
    return loss if strength == 0.0 or not gains else _Penalized(loss, gains, strength)
