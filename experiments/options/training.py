"""Options that say how candidates are trained."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from nas.training.augmentation import AUGMENTATIONS
from nas.training.recipe import OptimizerName, Recipe, ScheduleName

_OF_RECIPES = (
    *("batch_size", "lr", "finetune_lr", "weight_decay", "optimizer", "momentum", "schedule"),
    *("warm_up", "label_smoothing", "focal", "ema", "rate_penalty"),
)


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How candidates are trained.

    What has no default here is as the experiment does it.

    Args:
        epochs: training epochs before compression
        finetune_epochs: training epochs after compression
        samples: training samples of the search, drawn by class; without it, all; candidates that are
            trained again get all
        teacher: whether candidates also learn from the answers of a larger network
        median_stop: whether training stops for candidates below the median of earlier ones
        batch_size: samples of a batch, 2 or more
        lr: peak learning rate before compression
        finetune_lr: peak learning rate after compression
        weight_decay: decay of weights, of AdamW
        optimizer: what minimizes the loss: adamw, sgd or rmsprop
        momentum: momentum of sgd and rmsprop, 0 or more and below 1
        schedule: how learning rates fall: one_cycle rises first, cosine only falls, step is a tenth
            after half of the steps and a hundredth after three quarters
        warm_up: share of the steps in which cosine and step rise first, 0 or more and below 1
        label_smoothing: share of each label that is spread over all classes, 0 to 1
        focal: exponent by which samples that are learned count less, 0 or more; without a teacher
        class_weights: whether each class counts alike, however many samples it has; without a teacher
        ema: decay of a step in the average of weights that is then kept, 0 or more and below 1
        augmentation: how images are varied: off, mild, mirrored or strong; mild moves them by up to two pixels, mirrored and strong
            also mirror them, and strong cuts out a part
        rate_penalty: weight of the mean bits that a coded weight takes, in the loss after quantization:
            wider networks fit then
    """

    epochs: int = 20
    finetune_epochs: int = 10
    samples: int | None = None
    teacher: bool = False
    median_stop: bool = False
    batch_size: int | None = None
    lr: float | None = None
    finetune_lr: float | None = None
    weight_decay: float | None = None
    optimizer: OptimizerName | None = None
    momentum: float | None = None
    schedule: ScheduleName | None = None
    warm_up: float | None = None
    label_smoothing: float | None = None
    focal: float | None = None
    class_weights: bool = False
    ema: float | None = None
    augmentation: Literal["off", "mild", "mirrored", "strong"] | None = None
    rate_penalty: float | None = None

    def recipe(self, own: Recipe) -> Recipe:
        """The recipe of an experiment, `own`, with these epochs and what else is stated.

        Raises:
            ValueError: if a setting is out of its range.
        """
        stated: dict[str, Any] = {
            name: value for name in _OF_RECIPES if (value := getattr(self, name)) is not None
        }
        if self.augmentation is not None:
            stated["augmentation"] = AUGMENTATIONS[self.augmentation]
        if self.class_weights:
            stated["class_weights"] = True
        return replace(own, epochs=self.epochs, finetune_epochs=self.finetune_epochs, **stated)
