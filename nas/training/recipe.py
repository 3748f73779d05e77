"""How a candidate is trained."""

import sys
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from nas.training.augmentation import OFF, Augmentation

MOST = sys.float_info.max  # a whole number may be above
_LATER = frozenset(
    {
        *("rate_penalty", "label_smoothing", "ema", "augmentation", "validate_every"),
        *("optimizer", "momentum", "schedule", "warm_up", "focal", "class_weights"),
        *("alpha", "temperature", "regression_loss", "early_stopping"),
    }
)

OptimizerName = Literal["adamw", "sgd", "rmsprop"]
ScheduleName = Literal["one_cycle", "cosine", "step"]
RegressionLoss = Literal["squared", "absolute"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a candidate is trained: for `epochs`, then, compressed, for `finetune_epochs`, with a
    one-cycle schedule for each phase.

    `lr` and `finetune_lr` are the peak learning rates of the phases. Batches have `batch_size`
    samples, or a few less, so that all are nearly of one size; `weight_decay` is that of AdamW. The
    loss of the first phase has `gain_penalty` times the L1 norm of the gains of batch
    normalization, that of the second `rate_penalty` times the mean bits that a quantized weight
    takes. With no epochs in either phase, a candidate is measured as built and compressed.

    By default the following change nothing. `label_smoothing`, 0 to 1, is the share of each label
    that is spread over all classes (Szegedy et al., 2016). `ema`, 0 or more and below 1, is the decay
    of a step in the exponential moving average of weights: the average is then what is validated and
    what training gives. `augmentation` varies the training samples. The validation accuracy is
    measured after every `validate_every` epochs of a phase, and after its last.

    `optimizer` is AdamW, SGD with Nesterov's momentum, or RMSprop, the latter two with `momentum`, 0
    or more and below 1. `schedule` is how the learning rate of a phase falls: "one_cycle" rises to
    the peak and falls along a cosine (Smith & Topin, 2018), "cosine" only falls (Loshchilov & Hutter,
    2017), "step" is a tenth after half of the steps and a hundredth after three quarters. In the share
    `warm_up` of the steps, 0 or more and below 1, the latter two rise linearly first. `focal`, 0 or
    more, is the exponent by which samples that are learned count less (Lin et al., 2017); with
    `class_weights` each class counts alike, however many samples it has. Both are for training
    without a teacher. `alpha` and `temperature` are those of the distillation (None: those of the
    teacher). `regression_loss` is the error that a regression minimizes, the mean "squared" or
    "absolute" one, which outliers change less. With `early_stopping`, a phase ends after so many
    validations in a row that were not better than the best before, and gives the weights of that one
    (Prechelt, 1998); 0: it does not. A schedule goes on as if there were all epochs, and a final
    network, which nothing is held out from, has all of them.

    Raises:
        ValueError: if a number of epochs is negative, the batch size is below 2, which batch
            normalization needs, a learning rate is not positive and finite, the weight decay or a penalty
            is negative or not finite, another setting is out of its range or unknown, or `validate_every` is below 1.
    """

    epochs: int = 20
    finetune_epochs: int = 10
    batch_size: int = 64
    lr: float = 5e-3
    finetune_lr: float = 2e-3
    weight_decay: float = 1e-2
    gain_penalty: float = 0.0
    rate_penalty: float = 0.0
    label_smoothing: float = 0.0
    ema: float = 0.0
    augmentation: Augmentation = OFF
    validate_every: int = 1
    optimizer: OptimizerName = "adamw"
    momentum: float = 0.9
    schedule: ScheduleName = "one_cycle"
    warm_up: float = 0.0
    focal: float = 0.0
    class_weights: bool = False
    alpha: float | None = None
    temperature: float | None = None
    regression_loss: RegressionLoss = "squared"
    early_stopping: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.finetune_epochs) < 0:
            raise ValueError(
                f"a recipe must have epochs that are not negative, but got {self.epochs} and {self.finetune_epochs}"
            )
        rates = self.lr, self.finetune_lr
        if self.batch_size < 2 or not (
            all(0 < rate <= MOST for rate in rates) and 0 <= self.weight_decay <= MOST
        ):
            raise ValueError(
                "batch size must be 2 or more, learning rates positive and finite, and weight decay finite and not "
                f"negative, but got {self}"
            )
        for what, penalty in (("gains", self.gain_penalty), ("rate", self.rate_penalty)):
            if not 0.0 <= penalty <= MOST:
                raise ValueError(
                    f"the penalty on {what} must be finite and not negative, but got {penalty}"
                )
        if not 0.0 <= self.label_smoothing <= 1.0:
            raise ValueError(
                f"label smoothing must be in 0 … 1, but got {self.label_smoothing}; 0 turns it off"
            )
        if not 0.0 <= self.ema < 1.0:
            raise ValueError(
                f"the decay of averaged weights must be 0 or more and below 1, but got {self.ema}; 0 turns it off"
            )
        if self.early_stopping < 0:
            raise ValueError(
                f"early_stopping must be 0 or more validations, but got {self.early_stopping}; 0 turns it off"
            )
        if self.validate_every < 1:
            raise ValueError(f"validate_every must be at least 1, but got {self.validate_every}")
        self._check_how_it_is_minimized()

    def _check_how_it_is_minimized(self) -> None:
        for what, known in (
            ("optimizer", OptimizerName),
            ("schedule", ScheduleName),
            ("regression_loss", RegressionLoss),
        ):
            if (chosen := getattr(self, what)) not in get_args(known):
                raise ValueError(f"the {what} must be one of {get_args(known)}, but got {chosen!r}")
        for name in ("momentum", "warm_up"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(
                    f"{name} must be 0 or more and below 1, but got {getattr(self, name)}"
                )
        if self.warm_up > 0.0 and self.schedule == "one_cycle":
            raise ValueError(
                f"warm_up must be 0 with the schedule one_cycle, which rises by itself, but got {self.warm_up}"
            )
        if not 0.0 <= self.focal <= MOST:
            raise ValueError(
                f"focal must be finite and not negative, but got {self.focal}; 0 turns it off"
            )
        alpha, temperature = self.alpha, self.temperature
        if alpha is not None and not 0.0 <= alpha <= 1.0:
            raise ValueError(f"alpha must be in 0 … 1, but got {alpha}")
        if temperature is not None and not 0.0 < temperature <= MOST:
            raise ValueError(f"the temperature must be finite and above 0, but got {temperature}")

    def describe(self) -> dict[str, Any]:
        """The fields as JSON. Those that runs of before do not have are left out where they change
        nothing, so that such runs are resumed.
        """
        described = asdict(self)
        for name in ("noise", "mixup"):  # augmentations of before do not have them
            if not described["augmentation"][name]:
                del described["augmentation"][name]
        for field in fields(self):
            if field.name in _LATER and getattr(self, field.name) == field.default:
                del described[field.name]
        return described

    def phases(self, epochs: float | None) -> tuple[int, int]:
        """The epochs of both phases if there are `epochs` in all, 0 or 1 or more, in the recipe's
        proportion; None: the recipe's own. A recipe that fine-tunes does so for 1 epoch at least.

        Raises:
            ValueError: if `epochs` is below 1 and not 0, or the recipe has none.
        """
        if epochs is None:
            return self.epochs, self.finetune_epochs
        if epochs == 0:
            return 0, 0
        if epochs < 1:
            raise ValueError(f"a candidate must be trained for at least 1 epoch, but got {epochs}")
        if self.epochs + self.finetune_epochs == 0:
            raise ValueError(
                f"a recipe must have epochs to be trained for {epochs} of them, but has none"
            )
        total = round(epochs)
        after = total - round(epochs * self.epochs / (self.epochs + self.finetune_epochs))
        # Accuracies of networks that are quantized and not trained on say little.
        after = max(after, min(self.finetune_epochs, 1))
        return total - after, after
