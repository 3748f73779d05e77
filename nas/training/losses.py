"""The loss of a candidate as its recipe has it: weights of samples and classes, and distillation."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, one_hot

from nas.data import Task
from nas.training.distil import Distillation
from nas.training.fit import Loss, cross_entropy
from nas.training.recipe import Recipe


@dataclass(frozen=True, eq=False)
class WeightedCrossEntropy:
    """The mean of -w_c (1 - p_c)^focal log p_c of the probability p_c of the label c (focal loss, Lin et
    al., 2017).

    Args:
        focal: the exponent; 0 gives the cross-entropy
        weights: the weight of each class, [classes]
    """

    focal: float
    weights: Tensor

    def __call__(self, logits: Tensor, labels: Tensor, index: Tensor) -> Tensor:  # noqa: ARG002 - hard labels need no position
        """The loss of logits [N, classes], labels [N] or shares of the classes [N, classes]."""
        shares = one_hot(labels, logits.shape[1]) if labels.ndim == 1 else labels
        logs = log_softmax(logits, 1)
        # Kept from 0, where a power below 1 has no gradient.
        unlearned = (1.0 - logs.exp()).clamp_min(1e-6) ** self.focal
        return -(shares * self.weights * unlearned * logs).sum(1).mean()

    def to(self, device: torch.device) -> "WeightedCrossEntropy":
        """The same for networks on a device."""
        return replace(self, weights=self.weights.to(device))


def balanced(task: Task) -> Tensor:
    """Weights of the classes, [classes], with which all count alike and the mean over the training
    samples is 1; a class without samples has 0.
    """
    counts = torch.bincount(task.train.labels.cpu(), minlength=task.classes).float()
    present = counts > 0
    weights = torch.zeros(task.classes)
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights


def loss_by(recipe: Recipe, task: Task, loss: Loss) -> Loss:
    """The loss with the settings of the recipe: those of a distillation, or those of the
    cross-entropy.
    """
    if isinstance(loss, Distillation):
        return loss.at(recipe.alpha, recipe.temperature)
    if loss is not cross_entropy or not (recipe.focal or recipe.class_weights):
        return loss
    weights = balanced(task) if recipe.class_weights else torch.ones(task.classes)
    return WeightedCrossEntropy(recipe.focal, weights)


def check_teaching(recipe: Recipe, taught: bool) -> None:
    """Checks that the settings of the loss go with a teacher, or with none.

    Raises:
        ValueError: if they do not.
    """
    if not taught and (recipe.alpha, recipe.temperature) != (None, None):
        raise ValueError(
            f"a recipe with alpha or temperature must have a teacher, but got {recipe.alpha} and "
            f"{recipe.temperature} without one"
        )
    if taught and (recipe.focal or recipe.class_weights):
        raise ValueError(
            f"focal and class_weights must be off where a teacher answers, but got {recipe.focal} and "
            f"{recipe.class_weights}"
        )
