"""Knowledge distillation: a candidate also learns from the soft labels of a teacher."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from nas.train import Loss, logits


@dataclass(frozen=True)
class Teacher:
    """A network that a run trains before its candidates, for `epochs` on the training split, and how much they heed it.

    `build` takes an example batch and the number of classes. `alpha` is the weight of the true labels, 0 to 1.

    Raises:
        ValueError: if a value is out of range.
    """

    build: Callable[[Tensor, int], nn.Module]
    epochs: int = 40
    alpha: float = 0.5
    temperature: float = 4.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or not 0.0 <= self.alpha <= 1.0 or not self.temperature > 0.0:
            raise ValueError(f"a teacher needs epochs >= 1, alpha in [0, 1] and temperature > 0, but got {self}")


def distillation(teacher: nn.Module, inputs: Tensor, alpha: float, temperature: float) -> Loss:
    """alpha · cross-entropy + (1 - alpha) · T² · KL(teacher ‖ student) at temperature T (Hinton et al., 2015).

    The teacher answers the training `inputs` once, here: they are fixed, so its soft labels are too.
    """
    # A clone, because tensors made in inference mode cannot take part in training.
    soft = torch.softmax(logits(teacher, inputs) / temperature, 1).clone()

    def loss(student: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        divergence = kl_div(log_softmax(student / temperature, 1), soft[index], reduction="batchmean")
        return alpha * cross_entropy(student, labels) + (1.0 - alpha) * temperature**2 * divergence

    return loss
