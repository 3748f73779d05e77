"""The loss of a candidate as its task and its recipe have it: of classes, of one logit or of targets,
weights of samples and classes, and distillation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, log_softmax, mse_loss, one_hot

from nas.data import Task
from nas.quality import TaskKind
from nas.training.distil import Distillation
from nas.training.fit import Loss, cross_entropy
from nas.training.recipe import Recipe, RegressionLoss
from nas.training.two_logits import two_logits


def binary_cross_entropy(outputs: Tensor, labels: Tensor, index: Tensor) -> Tensor:
    """The mean cross-entropy of single logits [N, 1], that of class 1, and labels [N] or shares of both
    classes [N, 2].
    """
    return cross_entropy(two_logits(outputs), labels, index)


def squared_error(outputs: Tensor, targets: Tensor, index: Tensor) -> Tensor:  # noqa: ARG001 - targets need no position
    """The mean squared error of outputs [N, K] and targets [N] or [N, K]."""
    return mse_loss(outputs, targets.view_as(outputs))


def absolute_error(outputs: Tensor, targets: Tensor, index: Tensor) -> Tensor:  # noqa: ARG001 - as above
    """The mean absolute error of outputs [N, K] and targets [N] or [N, K]."""
    return l1_loss(outputs, targets.view_as(outputs))


LOSSES: Mapping[TaskKind, Loss] = {
    "classification": cross_entropy,
    "binary": binary_cross_entropy,
    "regression": squared_error,
}
"""What is minimized for each kind of task, where a recipe says nothing else."""

REGRESSION_LOSSES: Mapping[RegressionLoss, Loss] = {
    "squared": squared_error,
    "absolute": absolute_error,
}


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
        """The loss of logits [N, classes], or one for two classes, [N, 1], and labels [N] or shares of
        the classes [N, classes].
        """
        logits = two_logits(logits) if logits.shape[1] == 1 else logits
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


def loss_by(recipe: Recipe, task: Task, loss: Loss = cross_entropy) -> Loss:
    """The loss with the settings of the recipe: those of a distillation; or, for `cross_entropy`, which
    stands for learning from labels alone, those of the loss that goes with the task.
    """
    if isinstance(loss, Distillation):
        return loss.at(recipe.alpha, recipe.temperature)
    if loss is not cross_entropy:
        return loss
    if task.kind == "regression":
        return REGRESSION_LOSSES[recipe.regression_loss]
    if not (recipe.focal or recipe.class_weights):
        return LOSSES[task.kind]
    weights = balanced(task) if recipe.class_weights else torch.ones(task.classes)
    return WeightedCrossEntropy(recipe.focal, weights)


def check_loss(recipe: Recipe, kind: TaskKind) -> None:
    """Checks that the settings of the loss go with the kind of a task.

    Raises:
        ValueError: if they do not.
    """
    of_classes = {
        name: getattr(recipe, name)
        for name in ("label_smoothing", "focal", "class_weights", "temperature")
        if getattr(recipe, name)
    }
    if kind == "regression" and of_classes:
        raise ValueError(
            f"settings of classes must be off for a regression, which has none, but got {of_classes}"
        )
    if kind != "regression" and recipe.regression_loss != "squared":
        raise ValueError(
            f"regression_loss must be 'squared', its default, for a {kind}, but got {recipe.regression_loss!r}"
        )


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
    if taught and recipe.augmentation.mixup:
        raise ValueError(
            "mixup must be 0 where a teacher answers, which knows samples and not mixtures of them, but got "
            f"{recipe.augmentation.mixup}"
        )
    if taught and recipe.regression_loss != "squared":
        raise ValueError(
            f"regression_loss must be 'squared' where a teacher answers, but got {recipe.regression_loss!r}"
        )
    if taught and (recipe.focal or recipe.class_weights):
        raise ValueError(
            f"focal and class_weights must be off where a teacher answers, but got {recipe.focal} and "
            f"{recipe.class_weights}"
        )
